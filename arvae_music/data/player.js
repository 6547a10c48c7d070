// A small synthesiser. A track is {number, name, channel, program, volume, notes: [[start, length, pitch, velocity], ...]}
// with times in seconds and notes in the order of their onsets.
//
//   const player = new Player();
//   player.play(tracks, { from: 0, region: [0, 12.5], loop: true, muted: track => false, ended: () => {} });
//   player.position()        seconds, or null while nothing plays
"use strict";

const AHEAD = 0.35; // seconds that are scheduled in advance
const DRUMS = 10; // the channel
// By program / 8, the families of General MIDI: harmonics, attack, decay (seconds), sustain (share), release, level.
const SAW = [1, 0.5, 0.33, 0.25, 0.2, 0.17, 0.14, 0.125, 0.11, 0.1];
const TIMBRES = [
  [[1, 0.5, 0.3, 0.2, 0.12, 0.08, 0.05], 0.004, 0.5, 0.12, 0.06, 1], // pianos
  [[1, 0, 0, 0.6, 0, 0, 0, 0.25], 0.002, 0.35, 0.02, 0.2, 0.8], // bells and mallets
  [[1, 0.8, 0.5, 0.6, 0, 0.3, 0, 0.3], 0.01, 0.1, 0.9, 0.03, 0.5], // organs
  [[1, 0.6, 0.45, 0.3, 0.2, 0.12, 0.08], 0.003, 0.3, 0.05, 0.05, 1], // guitars
  [[1, 0.6, 0.3, 0.15, 0.08], 0.004, 0.4, 0.3, 0.03, 1.3], // basses
  [SAW, 0.07, 0.2, 0.8, 0.09, 0.5], // strings
  [SAW, 0.09, 0.2, 0.8, 0.1, 0.5], // ensembles and choirs
  [[1, 0.9, 0.7, 0.5, 0.35, 0.25, 0.15], 0.03, 0.15, 0.7, 0.05, 0.5], // brass
  [[1, 0.15, 0.6, 0.1, 0.35, 0.06, 0.2], 0.03, 0.15, 0.8, 0.04, 0.7], // reeds
  [[1, 0.2, 0.1, 0.03], 0.04, 0.2, 0.85, 0.05, 0.9], // pipes and flutes
  [[1, 0, 0.33, 0, 0.2, 0, 0.14, 0, 0.11], 0.01, 0.2, 0.7, 0.04, 0.5], // synthesiser leads
  [SAW.slice(0, 8), 0.15, 0.3, 0.8, 0.2, 0.45], // pads
  [[1, 0.3, 0.5, 0.2, 0.3], 0.05, 0.5, 0.4, 0.2, 0.6], // effects
  [[1, 0.7, 0.5, 0.4, 0.3, 0.2], 0.003, 0.25, 0.03, 0.06, 0.9], // plucked instruments of the world
  [[1, 0.2, 0.5, 0, 0.2], 0.002, 0.2, 0.02, 0.08, 0.9], // pitched percussion
  [[1, 0.3], 0.1, 0.5, 0.3, 0.1, 0.3], // sound effects
];
// By pitch: falling tone (from, to in Hz, seconds, level), and noise (lowest frequency, seconds, level).
const KICK = [130, 45, 0.13, 1.1, 300, 0.01, 0.15], SNARE = [240, 170, 0.06, 0.4, 900, 0.1, 0.6];
const HAT = [0, 0, 0, 0, 7000, 0.03, 0.5], OPEN = [0, 0, 0, 0, 7000, 0.2, 0.45];
const STICK = [900, 800, 0.02, 0.4, 3000, 0.02, 0.2];
const CRASH = [0, 0, 0, 0, 4500, 0.7, 0.45], RIDE = [0, 0, 0, 0, 6500, 0.35, 0.3], BELL = [820, 810, 0.12, 0.35, 0, 0, 0];
const CLAP = [0, 0, 0, 0, 1200, 0.08, 0.6], SHAKER = [0, 0, 0, 0, 5000, 0.05, 0.3];
const KIT = { 35: KICK, 36: KICK, 37: STICK, 38: SNARE, 39: CLAP, 40: SNARE, 42: HAT, 44: HAT, 46: OPEN, 49: CRASH, 51: RIDE,
  52: CRASH, 53: BELL, 54: SHAKER, 55: CRASH, 56: BELL, 57: CRASH, 59: RIDE, 69: SHAKER, 70: SHAKER, 75: STICK, 76: STICK,
  77: STICK, 82: SHAKER };

class Player {
  constructor() {
    this.audio = null;
    this.run = null; // what plays now
  }

  play(tracks, { from, region, loop = false, muted = () => false, ended = () => {} }) {
    this.stop();
    if (!this.audio) this.prepare();
    this.audio.resume();
    const [first, last] = region;
    const out = this.audio.createGain();
    out.connect(this.master);
    const parts = tracks.map(track => {
      const gain = this.audio.createGain();
      gain.gain.value = muted(track) ? 0 : track.volume;
      gain.connect(out);
      return { track, gain, next: 0 };
    });
    const begin = Math.min(Math.max(from, first), last);
    this.run = { parts, out, first, last, loop: loop && last - first > 0.2, muted, ended, cycle: 0, sources: new Set(),
      zero: this.audio.currentTime + 0.08 - begin };
    for (const part of parts) {
      part.next = onset(part.track.notes, begin);
      for (let i = 0; i < part.next && part.track.channel !== DRUMS; i++) { // notes that sound already
        const [start, length, pitch, velocity] = part.track.notes[i];
        if (start + length > begin + 0.1) this.sound(part, [begin, start + length - begin, pitch, velocity], 0);
      }
    }
    this.schedule();
    this.run.timer = setInterval(() => this.schedule(), 60);
  }

  stop() {
    if (!this.run) return;
    const { timer, out, sources, ended } = this.run, now = this.audio.currentTime;
    clearInterval(timer);
    this.run = null;
    out.gain.setTargetAtTime(0, now, 0.015);
    for (const source of sources) source.stop(now + 0.1);
    setTimeout(() => out.disconnect(), 300);
    ended();
  }

  position() {
    if (!this.run) return null;
    const { zero, first, last, loop } = this.run;
    const passed = this.audio.currentTime - zero;
    return loop && passed > last ? first + ((passed - first) % (last - first)) : Math.min(passed, last);
  }

  remix() { // after a change of what is muted
    if (!this.run) return;
    for (const { track, gain } of this.run.parts)
      gain.gain.setTargetAtTime(this.run.muted(track) ? 0 : track.volume, this.audio.currentTime, 0.01);
  }

  prepare() {
    this.audio = new AudioContext();
    const limiter = this.audio.createDynamicsCompressor();
    this.master = this.audio.createGain();
    this.master.gain.value = 0.35;
    this.master.connect(limiter).connect(this.audio.destination);
    this.waves = TIMBRES.map(([harmonics]) =>
      this.audio.createPeriodicWave(new Float32Array(harmonics.length + 1), Float32Array.from([0, ...harmonics])));
    this.noise = this.audio.createBuffer(1, this.audio.sampleRate, this.audio.sampleRate);
    const samples = this.noise.getChannelData(0);
    for (let i = 0; i < samples.length; i++) samples[i] = 2 * Math.random() - 1;
  }

  schedule() {
    const run = this.run, passed = this.audio.currentTime - run.zero;
    if (!run.loop && passed > run.last + 0.4) return this.stop();
    for (;;) {
      const offset = run.cycle * (run.last - run.first);
      for (const part of run.parts) {
        const { notes } = part.track;
        for (; part.next < notes.length; part.next++) {
          const start = notes[part.next][0];
          if (start >= run.last || start + offset > passed + AHEAD) break;
          this.sound(part, notes[part.next], offset);
        }
      }
      if (!run.loop || run.last + offset > passed + AHEAD) return;
      run.cycle++;
      for (const part of run.parts) part.next = onset(part.track.notes, run.first);
    }
  }

  sound(part, [start, length, pitch, velocity], offset) {
    const run = this.run, at = Math.max(run.zero + offset + start, this.audio.currentTime);
    const level = (velocity / 127) ** 1.3;
    if (part.track.channel === DRUMS) return this.drum(part.gain, pitch, at, level);
    const family = part.track.program >> 3, [, attack, decay, sustain, release, loud] = TIMBRES[family];
    const end = Math.max(run.zero + offset + Math.min(start + length, run.last), at + 0.04);
    const tone = this.audio.createOscillator(), volume = this.audio.createGain();
    tone.setPeriodicWave(this.waves[family]);
    tone.frequency.value = 440 * 2 ** ((pitch - 69) / 12);
    volume.gain.setValueAtTime(0, at);
    volume.gain.linearRampToValueAtTime(level * loud, at + attack);
    volume.gain.setTargetAtTime(level * loud * sustain, at + attack, decay);
    volume.gain.setTargetAtTime(0, end, release);
    tone.connect(volume).connect(part.gain);
    this.keep(tone, at, end + 6 * release);
  }

  drum(out, pitch, at, level) {
    const tom = [60 + 3.2 * pitch, 30 + 2.4 * pitch, 0.18, 0.8, 500, 0.03, 0.08];
    const [high, low, fall, loud, lowest, fade, noisy] = KIT[pitch] || tom;
    const fading = (strength, seconds) => {
      const volume = this.audio.createGain();
      volume.gain.setValueAtTime(strength * level, at);
      volume.gain.setTargetAtTime(0, at, seconds);
      volume.connect(out);
      return volume;
    };
    if (loud) {
      const tone = this.audio.createOscillator();
      tone.frequency.setValueAtTime(high, at);
      tone.frequency.setTargetAtTime(low, at, 0.04);
      tone.connect(fading(loud, fall));
      this.keep(tone, at, at + 6 * fall);
    }
    if (noisy) {
      const hiss = this.audio.createBufferSource(), filter = this.audio.createBiquadFilter();
      hiss.buffer = this.noise;
      hiss.loop = true;
      filter.type = "highpass";
      filter.frequency.value = lowest;
      hiss.connect(filter).connect(fading(noisy, fade));
      this.keep(hiss, at, at + 6 * fade);
    }
  }

  keep(source, at, end) {
    const { sources } = this.run;
    sources.add(source);
    source.onended = () => sources.delete(source);
    source.start(at);
    source.stop(end);
  }
}

function onset(notes, time) { // the index of the first note from a time on
  let low = 0, high = notes.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (notes[middle][0] < time - 1e-6) low = middle + 1;
    else high = middle;
  }
  return low;
}
