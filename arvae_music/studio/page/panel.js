// The sliders, and what an edit must respect. The panel shows settings and reports each change of them.

import { by, el, figure, press, signed } from "./dom.js";

const LOCKS = {
  key: "Key", range: "Range", onsets: "Places of notes", pitches: "Pitches", first: "First note", last: "Last notes",
};
// Settings that are on or off: [name of the setting, label, value while pressed, explanation]
const STAYS = [["free_ends", "Ends of phrases", false, "The last notes of phrases, the final note and the silence before an upbeat stay"]];
const WAYS = [
  ["harmony", "Fit the chords", true, "New notes fit the chords of the song"],
  ["form", "Repeats alike", true, "Repeated measures get the same edit"],
  ["each", "Every measure", true, "Every measure moves by the request, instead of the mean of all"],
];

const REACH = 3; // standard deviations that a slider moves the mean by, at most
const STEPS = [5, 2, 1, 0.5, 0.25, 0.1, 0.05]; // of a slider, in its unit
const ORDER = ["density", "range", "contour", "rhythm", "syncopation", "pitch", "repetition", "steps"];

/** The mean of several measures moves by less than one measure can. */
const stepOf = ({ step }) => STEPS.find(fine => fine <= step / 3) ?? STEPS.at(-1);
const rank = ({ name }) => (ORDER.includes(name) ? ORDER.indexOf(name) : ORDER.length);
const rounded = value => Math.round(value * 1000) / 1000 + 0; // without errors like 0.30000000000000004, or -0
const capital = text => text[0].toUpperCase() + text.slice(1);

export class Panel {
  #attributes; #rows = new Map(); #song = null; #settings = null; #model; #strength;
  #says;

  /** says: {change(settings, finished)} */
  constructor(state, says) {
    this.#attributes = [...state.attributes].sort((a, b) => rank(a) - rank(b));
    this.#says = says;
    by("sliders").replaceChildren(...this.#attributes.map(attribute => this.#row(attribute)));
    by("locks").replaceChildren(
      ...state.locks.map(name => this.#chip(LOCKS[name] ?? name, "lock", name, () => this.#toggle("locks", name))),
      ...STAYS.map(switched => this.#switch(switched)),
    );
    by("ways").replaceChildren(...WAYS.map(switched => this.#switch(switched)));
    by("model").replaceChildren(...state.models.map(model => el("option", { value: model.name, title: model.what }, model.name)));
    by("model-field").hidden = state.models.length < 2;
    by("model").onchange = event => this.#set({ model: event.target.value });
    this.#model = state.model;
    this.#strength = state.strength;
    by("chords").onchange = event => this.#set({ chords: event.target.value.trim() || null });
    by("seed").onchange = event => this.#set({ seed: Math.max(0, Math.round(Number(event.target.value) || 0)) });
    by("seed-next").onclick = () => this.#set({ seed: this.#settings.seed + 1 });
    by("seed-back").onclick = () => this.#set({ seed: Math.max(0, this.#settings.seed - 1) });
    by("reset").onclick = () => this.#set({ sliders: {}, seed: 0 });
    const strength = event => {
      this.#set({ strength: Number(event.target.value) }, event.type === "change");
    };
    by("strength").oninput = by("strength").onchange = strength;
  }

  #set(changes, finished = true) { this.#says.change({ ...this.#settings, ...changes }, finished); }

  #toggle(list, name) {
    const now = this.#settings[list];
    return this.#set({ [list]: now.includes(name) ? now.filter(other => other !== name) : [...now, name] });
  }

  #chip(label, kind, name, onclick, title = null) {
    return el("button", { class: "toggle", type: "button", "data-kind": kind, "data-name": name, title, onclick }, label);
  }

  #switch([name, label, pressed, title]) {
    return this.#chip(label, "switch", name, () => this.#set({ [name]: !this.#settings[name] }), title);
  }

  #row(attribute) {
    const { name, unit, what } = attribute, label = capital(attribute.label);
    const slider = el("input", { type: "range", id: `slider-${name}`, step: stepOf(attribute), min: -1, max: 1, value: 0 });
    const wish = el("input", {
      class: "wish figures", type: "text", size: 8, placeholder: "±0", autocomplete: "off", spellcheck: "false",
      "aria-label": `Request for ${label}`,
    });
    const hold = el("button", {
      class: "hold", type: "button", title: `Keep the ${attribute.label} of each measure, even if another request is then missed`,
      "aria-label": `Keep ${attribute.label}`,
    });
    const before = el("span"), arrow = el("span", { class: "arrow", "aria-hidden": "true" }, "→"), after = el("strong");
    const note = el("p", { class: "note" });
    const zero = el("i", { class: "zero" }), reached = el("i", { class: "reached" });
    const row = el("div", { class: "slider", "data-name": name },
      el("label", { for: slider.id, title: what }, label),
      el("span", { class: "means figures" }, before, arrow, after, el("span", { class: "soft" }, unit)),
      el("div", { class: "track" }, zero, reached, slider), wish, hold, note);
    const request = text => {
      const sliders = { ...this.#settings.sliders };
      delete sliders[name];
      return text ? { sliders: { ...sliders, [name]: text } } : { sliders };
    };
    const moved = finished => {
      const value = rounded(Number(slider.value));
      this.#set(request(value ? `${value > 0 ? "+" : ""}${value}${unit}` : ""), finished);
    };
    slider.oninput = () => moved(false);
    slider.onchange = () => moved(true);
    slider.ondblclick = () => this.#set(request(""));
    slider.onkeydown = event => {
      if (event.key === "Delete" || event.key === "Backspace") this.#set(request(""));
    };
    wish.onchange = () => this.#set(request(wish.value.replace("−", "-").replace(/(\d)\s+(?=[a-z])/i, "$1").trim()));
    wish.onkeydown = event => { if (event.key === "Enter") slider.focus(); }; // which also makes the field change
    hold.onclick = () => this.#toggle("keep", name);
    this.#rows.set(name, { row, slider, wish, hold, before, arrow, after, note, zero, reached, unit, label });
    return row;
  }

  /** Show the settings, and the means of the chosen measures before and after the edit. `settled`: it is their edit. */
  show(song, settings, edit, indexes, settled) {
    if (song !== this.#song) this.#measureOut(song);
    this.#song = song;
    this.#settings = settings;
    const results = new Map((edit?.attributes ?? []).map(result => [result.name, result]));
    for (const [name, row] of this.#rows) this.#showRow(name, row, settings, results.get(name), indexes, settled);
    for (const button of document.querySelectorAll("#panel [data-kind=lock]")) {
      press(button, settings.locks.includes(button.dataset.name));
    }
    for (const [name, , pressed] of [...STAYS, ...WAYS]) {
      press(document.querySelector(`#panel [data-kind=switch][data-name=${name}]`), settings[name] === pressed);
    }
    if (document.activeElement !== by("chords")) by("chords").value = settings.chords ?? "";
    by("seed").value = settings.seed;
    by("seed-back").disabled = settings.seed === 0;
    by("model").value = settings.model ?? this.#model;
    by("strength").value = settings.strength ?? this.#strength;
    by("strength-value").textContent = figure(settings.strength ?? this.#strength);
    by("reset").disabled = !Object.keys(settings.sliders).length && settings.seed === 0;
    by("report-box").hidden = !edit;
    by("report").textContent = edit?.report ?? "";
  }

  /** Each slider reaches as far as is musical. The field beside it takes any request. */
  #measureOut(song) {
    for (const { name } of this.#attributes) {
      const { slider, zero, row } = this.#rows.get(name);
      const scale = song.sliders[name];
      row.hidden = !scale;
      if (!scale) continue;
      const step = Number(slider.step), whole = value => rounded(Math.round(value / step) * step);
      slider.min = Math.min(whole(Math.max(scale.lowest - scale.mean, -REACH * scale.sd)), -step);
      slider.max = Math.max(whole(Math.min(scale.highest - scale.mean, REACH * scale.sd)), step);
      place(zero, slider, 0);
    }
  }

  #showRow(name, parts, settings, result, indexes, settled) {
    const { slider, wish, hold, before, arrow, after, note, zero, reached, unit, label, row } = parts;
    const text = settings.sliders[name] ?? "";
    const held = settings.keep.includes(name);
    const mean = result?.before ?? this.#mean(name, indexes);
    const written = new RegExp(`^([+-]\\d+(?:\\.\\d+)?)\\s*${unit}$`).exec(text);
    const shift = written ? Number(written[1]) : text && settled && result ? result.achieved - result.before : 0;
    if (document.activeElement !== slider || Number(slider.value) !== shift) slider.value = shift;
    if (document.activeElement !== wish || !text) wish.value = text.replace("-", "−").replace(/(\d)(?=[a-z])/i, "$1 ");
    slider.disabled = wish.disabled = held;
    press(hold, held);
    row.classList.toggle("requested", Boolean(text));
    before.textContent = mean === null ? "–" : figure(mean);
    const moved = result && Math.abs(result.achieved - result.before) > 0.005;
    arrow.hidden = after.hidden = !moved;
    after.textContent = moved ? figure(result.achieved) : "";
    place(reached, slider, result ? result.achieved - result.before : 0);
    reached.hidden = !text || !result;
    zero.hidden = false;
    const missed = text && settled && result && !result.exact;
    note.textContent = missed ? `${figure(result.requested)} ${unit} requested: ${result.what}` : "";
    note.hidden = !note.textContent;
    slider.setAttribute("aria-valuetext", text
      ? `${written ? signed(shift) : text} ${unit}${result ? `, mean ${figure(result.before)} becomes ${figure(result.achieved)}` : ""}`
      : `as it is${mean === null ? "" : `, mean ${figure(mean)} ${unit}`}`);
    slider.title = held ? `${label} is kept` : "";
  }

  #mean(name, indexes) {
    const { measures } = this.#song;
    const values = (indexes ? indexes.map(index => measures[index]) : measures)
      .filter(measure => measure.editable).map(measure => measure.values?.[name]).filter(value => typeof value === "number");
    return values.length ? values.reduce((a, b) => a + b, 0) / values.length : null;
  }
}

/** Put a mark where a value lies on a slider whose thumb is 16 px wide. */
function place(mark, slider, value) {
  const share = (value - Number(slider.min)) / (Number(slider.max) - Number(slider.min));
  mark.style.left = `calc(8px + ${Math.min(Math.max(share, 0), 1)} * (100% - 16px))`;
}
