// Plays the events of a MIDI file with a SoundFont, in the audio thread: the sound goes on while the page is busy.
//
// It has a sequencer of its own, because a studio needs what a player of files does not: tracks that fall silent, a
// loop, and another version of the song in the middle of it, with the notes that both have sounding on.

import { BasicMIDI, SoundBankLoader, SpessaSynthProcessor } from "./vendor/spessasynth_core/spessasynth_core.min.js";

const BLOCK = 128; // frames that a worklet renders at once
const REPORTS = 16; // blocks between two reports of the position, about 40 ms
const TAIL = 1.5; // s of silence after the last event, for the reverberation
const OFF = 0x80, ON = 0x90, PROGRAM = 0xc0, SYSTEM = 0xf0;

class Sound extends AudioWorkletProcessor {
  constructor() {
    super();
    this.synth = new SpessaSynthProcessor(sampleRate, { eventsEnabled: false });
    this.events = [];
    this.next = 0; // the event that comes next
    this.now = 0; // s from the start of the song
    this.playing = false;
    this.loop = null; // [start, end] in s
    this.silent = new Set(); // "track channel", as in `events`
    this.sounding = new Map(); // "track channel pitch" -> [channel, pitch]
    this.started = 0; // notes, since the page was opened
    this.blocks = 0;
    this.port.onmessage = ({ data }) => {
      try {
        this[data.call](...data.arguments);
      } catch (error) {
        this.port.postMessage({ error: String(error?.message ?? error), call: data.call });
      }
    };
  }

  soundfont(bytes) {
    this.synth.soundBankManager.addSoundBank(SoundBankLoader.fromArrayBuffer(bytes), "main");
    this.port.postMessage({ ready: true });
  }

  /** tracks: [{number, channel, program, drum, notes: [[start, end, pitch, velocity], ...]}, ...] */
  song(bytes, tracks) {
    try {
      this.events = eventsOf(BasicMIDI.fromArrayBuffer(bytes));
    } catch { // a damaged file, which arvae reads more leniently: its notes without controllers
      this.events = notesOf(tracks);
    }
    this.next = this.#after(this.now);
    for (const [key, [channel, pitch]] of this.sounding) {
      const following = this.events.slice(this.next).find(event => event.key === key);
      if (following?.kind === OFF) continue; // it sounds in this version too
      this.synth.noteOff(channel, pitch);
      this.sounding.delete(key);
    }
    if (!this.playing || !this.sounding.size) this.#prepare();
  }

  play() { this.#prepare(); this.playing = true; }
  pause() { this.playing = false; this.#hush(); this.#report(); }
  seek(seconds) { this.now = seconds; this.#hush(); this.#prepare(); this.#report(); }
  repeat(range) { this.loop = range; }

  mute(keys) {
    this.silent = new Set(keys);
    for (const [key, [channel, pitch]] of this.sounding) {
      if (!this.silent.has(key.slice(0, key.lastIndexOf(" ")))) continue;
      this.synth.noteOff(channel, pitch);
      this.sounding.delete(key);
    }
  }

  process(_, [output]) {
    const [left, right] = output;
    if (this.playing) this.#advance();
    this.synth.process(left, right ?? left, 0, left.length);
    if (this.playing && ++this.blocks % REPORTS === 0) this.#report();
    return true;
  }

  #advance() {
    const until = this.now + BLOCK / sampleRate;
    while (this.next < this.events.length && this.events[this.next].time < until) this.#send(this.events[this.next++]);
    this.now = until;
    if (this.loop && this.now >= this.loop[1]) this.seek(this.loop[0]);
    else if (this.next >= this.events.length && this.now > (this.events.at(-1)?.time ?? 0) + TAIL) {
      this.pause();
      this.now = 0;
      this.port.postMessage({ ended: true });
    }
  }

  #send(event) {
    if (event.kind === ON) {
      if (this.silent.has(event.voice)) return;
      this.sounding.set(event.key, [event.channel, event.pitch]);
      this.started++;
    } else if (event.kind === OFF) this.sounding.delete(event.key);
    while (this.synth.midiChannels.length < event.offset + 16) this.synth.createMIDIChannel();
    this.synth.processMessage(event.message, event.offset);
  }

  #after(seconds) {
    const index = this.events.findIndex(event => event.time >= seconds);
    return index < 0 ? this.events.length : index;
  }

  /** Instruments, controllers and bends as they are at this place of the song; its notes begin from here. */
  #prepare() {
    this.synth.reset();
    this.next = this.#after(this.now);
    for (const event of this.events.slice(0, this.next)) if (event.kind !== ON && event.kind !== OFF) this.#send(event);
  }

  #hush() {
    this.synth.stopAllChannels(false);
    this.sounding.clear();
  }

  #report() { this.port.postMessage({ now: this.now, playing: this.playing, started: this.started }); }
}

/** The events of a MIDI file in the order of their time (s), without those that only a reader of scores needs. */
function eventsOf(midi) {
  const ports = [];
  const events = [];
  const tempi = [...midi.tempoChanges].sort((a, b) => a.ticks - b.ticks);
  let ticks = 0, seconds = 0, tempo = 120, change = 0;
  const to = target => {
    while (change < tempi.length && tempi[change].ticks <= target) {
      seconds += (tempi[change].ticks - ticks) * 60 / (tempo * midi.timeDivision);
      ({ ticks, tempo } = tempi[change++]);
    }
    seconds += (target - ticks) * 60 / (tempo * midi.timeDivision);
    ticks = target;
    return seconds;
  };
  for (const { tr, ev } of midi.timeline) {
    const { ticks: when, statusByte: status, data } = midi.tracks[tr].events[ev];
    const time = to(when);
    if (status === 0x21) ports[tr] = data[0];
    if (status < 0x80 || status > SYSTEM) continue; // a meta event
    const channel = status & 15, offset = 16 * (ports[tr] ?? 0);
    const kind = (status & 0xf0) === ON && data[1] === 0 ? OFF : status & 0xf0;
    const voice = `${tr + 1} ${channel + 1}`;
    events.push({
      time, kind, offset, voice, channel: channel + offset, pitch: data[0], key: `${voice} ${data[0]}`,
      message: [status, ...data],
    });
  }
  return events;
}

/** The same for tracks of notes. Channels are counted from 1 outside of this file. */
function notesOf(tracks) {
  const event = ({ number, channel }, time, kind, ...data) => {
    const voice = `${number} ${channel}`;
    return { time, kind, offset: 0, voice, channel: channel - 1, pitch: data[0], key: `${voice} ${data[0]}`,
      message: [kind | (channel - 1), ...data] };
  };
  return tracks.flatMap(track => [
    event(track, -1, PROGRAM, track.program), // before any note
    ...track.notes.flatMap(([start, end, pitch, velocity]) => [event(track, start, ON, pitch, velocity), event(track, end, OFF, pitch, 64)]),
  ]).sort((a, b) => a.time - b.time || a.kind - b.kind);
}

registerProcessor("arvae-sound", Sound);
