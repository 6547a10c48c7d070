// The tracks of the song, each of which can be muted or heard alone.

import { by, el, press } from "./dom.js";

export const voice = track => `${track.number} ${track.channel}`;

export class Mixer {
  #song = null; #mute = new Set(); #solo = new Set();
  #changed;

  constructor(changed) { this.#changed = changed; }

  silent(track) {
    return this.#solo.size ? !this.#solo.has(voice(track)) : this.#mute.has(voice(track));
  }

  get silenced() { return (this.#song?.tracks ?? []).filter(track => this.silent(track)).map(voice); }

  show(song) {
    if (song === this.#song) return;
    const before = this.#song?.tracks.map(voice).join() ?? "";
    this.#song = song;
    if (song.tracks.map(voice).join() !== before) { this.#mute.clear(); this.#solo.clear(); }
    by("tracks").replaceChildren(...song.tracks.map(track => this.#strip(track)));
  }

  #strip(track) {
    const name = track.name || track.instrument || `Track ${track.number}`;
    const button = (letter, label, set) => {
      const made = el("button", { class: "toggle small", "aria-label": `${label} ${name}`, title: label }, letter);
      press(made, set.has(voice(track)));
      made.onclick = () => {
        if (!set.delete(voice(track))) set.add(voice(track));
        press(made, set.has(voice(track)));
        this.#changed();
      };
      return made;
    };
    const about = track.name && track.instrument ? track.instrument : "";
    return el("li", { class: track.melody ? "melody" : "" }, el("span", { class: "track-name", title: about || null }, name),
      button("M", "Mute", this.#mute), button("S", "Solo", this.#solo));
  }
}
