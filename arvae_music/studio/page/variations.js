// Variations as a strip of cards: each can be heard, starred, refined ("more like this") and taken over.

import * as api from "./api.js";
import { by, complain, el, plural, press, say, signed } from "./dom.js";
import { thumbnail } from "./roll.js";

const SMALLEST = 0.25; // standard deviations: a change of a mean that is worth its words

export class Variations {
  #cards = []; // {edit, song, item, stars, star}
  #search = null;
  #count = 0; // of all that were found for this file: their numbers
  #says;

  /** says: {stage() -> {song, settings}, audition({edit, song}), use(edit)} */
  constructor(says) {
    this.#says = says;
    by("vary").onclick = () => this.find();
    by("vary-stop").onclick = () => this.stop();
    by("starred").onclick = () => this.#filter(by("starred").getAttribute("aria-pressed") !== "true");
  }

  stop() { this.#search?.abort(); }

  /** Mark the card that is heard. */
  show(heard) {
    for (const { item, edit } of this.#cards) item.classList.toggle("heard", heard?.id === edit.id);
  }

  clear() {
    this.stop();
    this.#cards = [];
    this.#count = 0;
    by("cards").replaceChildren();
    by("vary-note").textContent = "";
    by("starred").hidden = true;
  }

  /** Search, near the variation of a card if one is given. Starred cards stay. */
  async find(near = null) {
    this.stop();
    const stage = this.#says.stage();
    if (!stage) return;
    const song = near?.song ?? stage.song;
    const kept = this.#cards.filter(card => card.stars || card === near);
    this.#cards = kept;
    by("cards").replaceChildren(...kept.map(card => card.item));
    this.#filter(false);
    const search = this.#search = new AbortController();
    const count = Math.min(Math.max(Number(by("count").value) || 12, 1), 64);
    const { sliders, ...settings } = stage.settings;
    const wish = { ...settings, count, amount: Number(by("amount").value) / 100 };
    if (near) wish.near = near.edit.id;
    by("vary-stop").hidden = false;
    by("cards").setAttribute("aria-busy", "true");
    by("vary-note").textContent = "Searching …";
    let found = 0;
    try {
      await api.variations(song.id, wish, row => {
        found++;
        by("vary-note").textContent = `${found} of ${count}`;
        this.#add(row.edit, song);
      }, search.signal);
    } catch (problem) {
      complain(problem);
    }
    if (this.#search !== search) return;
    this.#search = null;
    by("vary-stop").hidden = true;
    by("cards").setAttribute("aria-busy", "false");
    by("vary-note").textContent = found ? plural(found, "variation") : "";
    say(`${plural(found, "variation")} found.`);
  }

  #add(edit, song) {
    const number = ++this.#count;
    const canvas = el("canvas", { "aria-hidden": "true" });
    const words = what(edit, song);
    const star = el("button", { class: "icon star", "aria-pressed": "false", "aria-label": `Star variation ${number}` });
    const card = { edit, song, star, stars: false };
    star.onclick = () => this.#star(card);
    const name = `variation ${number}`;
    card.item = el("li", { class: "card" },
      el("button", { class: "picture", "aria-label": `Hear ${name}: ${words}`, onclick: () => this.#says.audition({ edit, song }) }, canvas),
      el("p", { class: "card-words" }, el("span", { class: "soft" }, `${number}`), ` ${words}`),
      el("div", { class: "card-actions" }, star,
        el("button", { class: "quiet", "aria-label": `More like ${name}`, onclick: () => this.find(card) }, "More like this"),
        el("button", { class: "quiet", "aria-label": `Use ${name}`, onclick: () => this.#says.use(edit) }, "Use")));
    this.#cards.push(card);
    by("cards").append(card.item);
    thumbnail(canvas, edit, song.duration);
  }

  #star(card) {
    card.stars = !card.stars;
    press(card.star, card.stars);
    const any = this.#cards.some(other => other.stars);
    by("starred").hidden = !any;
    if (!any) this.#filter(false);
  }

  #filter(only) {
    press(by("starred"), only);
    for (const card of this.#cards) card.item.hidden = only && !card.stars;
  }
}

/** What changed most: "density +1.2 notes, range −2 st"; if the means have hardly changed: "20 of 62 notes differ". */
function what(edit, song) {
  const share = ({ name, shift }) => Math.abs(shift) / (song.sliders[name]?.sd || 1);
  const means = edit.attributes
    .map(({ name, unit, before, achieved }) => ({ name, unit, shift: achieved - before }))
    .filter(change => share(change) >= SMALLEST)
    .sort((a, b) => share(b) - share(a))
    .slice(0, 2)
    .map(({ name, shift, unit }) => `${name} ${signed(Math.round(shift * 10) / 10)} ${unit}`).join(", ");
  const others = edit.melody.filter(note => note[4] !== "kept").length;
  return means || `${others} of ${plural(edit.melody.length, "note")} differ`;
}
