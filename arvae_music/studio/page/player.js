// Playback: the audio context, and the page's end of the sound in the audio thread (sound_worklet.js).

import * as api from "./api.js";

const GAIN = 3.5; // the synthesizer leaves headroom for dense music; a limiter holds what is louder

export class Player {
  playing = false;
  started = 0; // notes that have sounded
  #context = null; #node = null; #volume = null; #level = null;
  #bytes = null; #tracks = []; #silent = []; #range = null; #loudness = 0.8;
  #heard = { now: 0, at: 0 };
  #begun = null;
  #says;

  /** says: {changed(), failed(problem)} */
  constructor(says) { this.#says = says; }

  /** The time in the song, in seconds. */
  get now() {
    const { now, at } = this.#heard;
    return this.playing && this.#context ? now + Math.min(Math.max(this.#context.currentTime - at, 0), 0.2) : now;
  }

  /** The highest sample of the last 46 ms: 0 is silence. */
  get level() {
    if (!this.#level) return 0;
    const samples = new Float32Array(this.#level.fftSize);
    this.#level.getFloatTimeDomainData(samples);
    return samples.reduce((peak, sample) => Math.max(peak, Math.abs(sample)), 0);
  }

  /** What to play from now on: MIDI bytes, and the notes of the tracks. The time in the song stays. */
  load(bytes, tracks) { this.#bytes = bytes; this.#tracks = tracks; this.#call("song", bytes.slice(0), tracks); }

  async play() {
    try {
      this.#begun ??= this.#begin();
      await this.#begun;
      await this.#context.resume();
      this.#call("play");
      this.playing = true;
      this.#says.changed();
    } catch (error) {
      this.#begun = null;
      this.#says.failed(error instanceof api.Problem ? error : {
        what: "This browser plays no sound here.", where: String(error?.message ?? error),
        remedy: "Save the edit and play it elsewhere, or use a newer browser.",
      });
    }
  }

  pause() {
    this.#heard = { now: this.now, at: this.#context?.currentTime ?? 0 };
    this.playing = false;
    this.#call("pause");
    this.#says.changed();
  }

  seek(seconds) {
    this.#heard = { now: seconds, at: this.#context?.currentTime ?? 0 };
    this.#call("seek", seconds);
    this.#says.changed();
  }

  /** [start, end] in seconds, or null. */
  repeat(range) { this.#range = range; this.#call("repeat", range); }

  /** "track channel" of each that is silent, counted from 1. */
  mute(silent) { this.#silent = silent; this.#call("mute", silent); }

  volume(loudness) { this.#loudness = loudness; if (this.#volume) this.#volume.gain.value = GAIN * loudness ** 2; }

  /** Browsers start an audio context after the first click only, so all of this waits for it. */
  async #begin() {
    this.#context = new AudioContext({ latencyHint: "interactive" });
    const [font] = await Promise.all([
      api.soundfont(), this.#context.audioWorklet.addModule(new URL("sound_worklet.js", import.meta.url)),
    ]);
    this.#node = new AudioWorkletNode(this.#context, "arvae-sound", { numberOfInputs: 0, outputChannelCount: [2] });
    this.#volume = this.#context.createGain();
    this.#level = this.#context.createAnalyser();
    const limiter = new DynamicsCompressorNode(this.#context, { threshold: -8, knee: 6, ratio: 16, attack: 0.002, release: 0.15 });
    this.#node.connect(this.#volume).connect(limiter).connect(this.#level).connect(this.#context.destination);
    this.volume(this.#loudness);
    const ready = new Promise((resolve, reject) => {
      this.#node.onprocessorerror = () => reject(new Error("The audio thread has stopped."));
      this.#node.port.onmessage = ({ data }) => {
        if (data.ready) resolve();
        if (data.error) reject(new Error(data.error));
        if (data.now !== undefined) { this.#heard = { now: data.now, at: this.#context.currentTime }; this.started = data.started; }
        if (data.ended) { this.playing = false; this.#heard.now = 0; this.#says.changed(); }
      };
    });
    this.#call("soundfont", font);
    await ready;
    if (this.#bytes) this.#call("song", this.#bytes.slice(0), this.#tracks);
    this.#call("mute", this.#silent);
    this.#call("repeat", this.#range);
    this.#call("seek", this.#heard.now);
  }

  #call(call, ...values) {
    this.#node?.port.postMessage({ call, arguments: values }, values.filter(value => value instanceof ArrayBuffer));
  }
}
