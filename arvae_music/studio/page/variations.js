// Variations as a strip of cards: each can be heard, starred, refined ("more like this") and taken over.

import * as api from "./api.js";
import { by, complain, el, plural, press, say, signed } from "./dom.js";
import { thumbnail } from "./roll.js";

const SMALLEST = 0.25; // standard deviations: a change of a mean that is worth its words

export class Variations {
  #cards = []; // {edit, song, place, number, item, stars, star}
  // A place tells how the edit was found, so that it can be found again: {search: {song, wish, near: a place | null}, index, edit}
  #search = null;
  #restoring = null; // the search that brings back cards
  #count = 0; // of all that were found for this file: their numbers
  #says;

  /** says: {stage() -> {song, settings}, audition({edit, song}), use(edit), changed()} */
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
    this.#says.changed();
  }

  /** Whether cards are still missing: what is kept of them must stay as it is. */
  get restoring() { return this.#search !== null && this.#search === this.#restoring; }

  get edits() { return this.#cards.map(card => card.edit.id); }
  get songs() { return this.#cards.map(card => card.song.id); }

  /** The cards as plain data, for `restore`. */
  get kept() {
    return { count: this.#count, cards: this.#cards.map(({ place, number, stars }) => ({ place, number, stars })) };
  }

  /** Bring back the cards of an earlier session. songs: id then -> song now. `live`: the server still has the edits. */
  async restore({ cards, count }, songs, live) {
    this.clear();
    const search = this.#search = this.#restoring = new AbortController();
    const searches = new Map();
    by("vary-note").textContent = cards.length ? "Finding your variations again …" : "";
    by("vary-stop").hidden = !cards.length;
    try {
      for (const { place, number, stars } of cards) {
        const found = await findAgain(place, songs, live, searches, search.signal);
        if (this.#search !== search) return;
        if (!found) continue; // another version of arvae finds fewer
        const card = { ...found, number };
        this.#add(card);
        if (stars) this.#star(card);
      }
    } catch (problem) {
      complain(problem);
    }
    if (this.#search !== search) return;
    this.#search = null;
    this.#count = count;
    by("vary-stop").hidden = true;
    by("vary-note").textContent = "";
    this.#says.changed();
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
    const origin = { song: song.id, wish, near: near && near.place };
    by("vary-stop").hidden = false;
    by("cards").setAttribute("aria-busy", "true");
    by("vary-note").textContent = "Searching …";
    let found = 0;
    try {
      await api.variations(song.id, { ...wish, near: near?.edit.id }, row => {
        by("vary-note").textContent = `${found + 1} of ${count}`;
        this.#add({ edit: row.edit, song, place: { search: origin, index: found++, edit: row.edit.id }, number: ++this.#count });
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

  #add(card) {
    const { edit, song, number } = card;
    const canvas = el("canvas", { "aria-hidden": "true" });
    const words = what(edit, song);
    const star = el("button", { class: "icon star", "aria-pressed": "false", "aria-label": `Star variation ${number}` });
    Object.assign(card, { star, stars: false });
    star.onclick = () => this.#star(card);
    const name = `variation ${number}`;
    card.item = el("li", { class: "card" },
      el("button", { class: "picture", "aria-label": `Hear ${name}: ${words}`, onclick: () => this.#says.audition({ edit, song }) }, canvas),
      el("p", { class: "card-words" }, el("span", { class: "soft" }, `${number}.`), ` ${words}`),
      el("div", { class: "card-actions" }, star,
        el("button", { class: "quiet", "aria-label": `More like ${name}`, onclick: () => this.find(card) }, "More like this"),
        el("button", { class: "quiet", "aria-label": `Use ${name}`, onclick: () => this.#says.use(edit) }, "Use")));
    this.#cards.push(card);
    by("cards").append(card.item);
    thumbnail(canvas, edit, song.duration);
    this.#says.changed();
  }

  #star(card) {
    card.stars = !card.stars;
    press(card.star, card.stars);
    const any = this.#cards.some(other => other.stars);
    by("starred").hidden = !any;
    if (!any) this.#filter(false);
    this.#says.changed();
  }

  #filter(only) {
    press(by("starred"), only);
    for (const card of this.#cards) card.item.hidden = only && !card.stars;
  }
}

/** {edit, song, place} of a place, from the server's memory or by the same search, or null. `searches` has those that
 * were made already. */
async function findAgain(place, songs, live, searches, signal) {
  const { search, index } = place, song = songs.get(search.song);
  const edit = live && await api.known(place.edit).catch(() => null);
  if (edit) return { edit, song, place };
  const name = JSON.stringify(search);
  if (!searches.has(name)) {
    const near = search.near && await findAgain(search.near, songs, live, searches, signal);
    const edits = [], now = { ...search, song: song.id, near: near && near.place };
    await api.variations(song.id, { ...search.wish, near: near?.edit.id }, row => edits.push(row.edit), signal);
    searches.set(name, { edits, now });
  }
  const { edits, now } = searches.get(name);
  return edits[index] ? { edit: edits[index], song, place: { search: now, index, edit: edits[index].id } } : null;
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
