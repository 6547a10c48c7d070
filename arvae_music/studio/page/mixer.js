// The tracks of the song, each of which can be muted or heard alone.

import { by, el, press } from "./dom.js";

// General MIDI's families of eight instruments, for tracks without a name.
const FAMILIES = ["Piano", "Bells", "Organ", "Guitar", "Bass", "Strings", "Ensemble", "Brass", "Reeds", "Flutes", "Synth lead",
  "Synth pad", "Synth effects", "Plucked", "Percussion", "Sound effects"];
const named = track => track.name || `${track.number} ${track.drum ? "Drums" : FAMILIES[track.program >> 3] ?? "Track"}`;

const same = (a, b) => a.number === b.number && a.channel === b.channel && a.program === b.program;

/** The notes of a track after an edit, which tells only the tracks that it changed. */
export const notesAfter = (track, edit) => edit.tracks?.find(changed => same(changed, track))?.notes ?? track.notes;

export const voice = track => `${track.number} ${track.channel}`;

export class Mixer {
  #song = null; #mute = new Set(); #solo = new Set();
  #says;

  /** says: {changed(), melody(number)} */
  constructor(says) { this.#says = says; }

  silent(track) {
    return this.#solo.size ? !this.#solo.has(voice(track)) : this.#mute.has(voice(track));
  }

  get silenced() { return (this.#song?.tracks ?? []).filter(track => this.silent(track)).map(voice); }

  show(song) {
    if (song === this.#song) return;
    const before = this.#song?.tracks.map(voice).join() ?? "";
    this.#song = song;
    if (song.tracks.map(voice).join() !== before) { this.#mute.clear(); this.#solo.clear(); }
    const first = (track, index) => song.tracks.findIndex(other => voice(other) === voice(track)) === index;
    by("tracks").replaceChildren(...song.tracks.filter(first).map(track => this.#strip(track)));
  }

  #strip(track) {
    const name = named(track);
    const button = (letter, label, set) => {
      const made = el("button", { class: "toggle small", "aria-label": `${label} ${name}`, title: label }, letter);
      press(made, set.has(voice(track)));
      made.onclick = () => {
        if (!set.delete(voice(track))) set.add(voice(track));
        press(made, set.has(voice(track)));
        this.#says.changed();
      };
      return made;
    };
    const about = track.melody ? `The melody: ${this.#song.melody.reason}` : `Make ${name} the melody`;
    const choose = el("button", {
      class: "quiet track-name", title: about, "aria-pressed": String(track.melody), disabled: track.drum,
      onclick: () => { if (!track.melody) this.#says.melody(track.number); },
    }, name);
    return el("li", {}, choose,
      button("M", "Mute", this.#mute), button("S", "Solo", this.#solo));
  }
}
