// What the page shows: a song, the settings of an edit, and the edit. Each finished change is a step that can be undone.

const QUICK = 16; // proposals of a measure while a slider moves, which take half of the time

export const UNTOUCHED = Object.freeze({
  sliders: {}, bars: null, keep: [], locks: [], harmony: true, chords: null, strength: null, seed: 0, each: false, free_ends: false,
  form: true, model: null,
});

/** A step is {song, settings, moving}. It never changes, so that its edit can be remembered with it. */
export class Session {
  #steps = [];
  #at = -1;
  #edits = new WeakMap();
  now = null;

  get edit() { return this.now && (this.#edits.get(this.now) ?? null); }
  get canUndo() { return this.#at > 0; }
  get canRedo() { return this.#at < this.#steps.length - 1; }

  /** Does the step request anything? Without a request there is no edit. */
  get requests() { return this.now !== null && Object.keys(this.now.settings.sliders).length > 0; }

  /** Show a step without keeping it. The last step that was kept comes back, with its edit, if its settings do.
   * `moving`: a slider still moves, so the edit is a preview. */
  show(song, settings, moving = false) {
    const last = this.#steps[this.#at];
    const same = last?.song === song && JSON.stringify(last.settings) === JSON.stringify(settings);
    this.now = same ? last : Object.freeze({ song, settings: Object.freeze(settings), moving });
  }

  /** Keep what is shown as a step. */
  keep() {
    if (this.now === this.#steps[this.#at]) return;
    this.#steps.splice(this.#at + 1, Infinity, this.now);
    this.#at = this.#steps.length - 1;
  }

  attach(step, edit) { this.#edits.set(step, edit); }

  undo() { if (this.canUndo) this.now = this.#steps[--this.#at]; }
  redo() { if (this.canRedo) this.now = this.#steps[++this.#at]; }
}

/** The settings of a step for the server. */
export const wish = ({ settings, moving }) => (moving ? { ...settings, proposals: QUICK } : settings);

/** "1-4,7" -> indexes of the song's measures, or null for all. Throws a sentence where the text is no such list. */
export function chosen(text, measures) {
  if (!text?.trim()) return null;
  const numbers = measures.map(measure => measure.number);
  const indexes = new Set();
  for (const part of text.split(/[\s,]+/).filter(Boolean)) {
    const range = /^(\d+)(?:([-–])(\d+)?)?$/.exec(part);
    if (!range) throw new Error(`“${part}” is not a measure or a range of measures. Type for example 1-4, 7, 12-.`);
    const first = Number(range[1]);
    const last = range[3] ? Number(range[3]) : range[2] ? Infinity : first;
    const found = numbers.flatMap((number, index) => (first <= number && number <= last ? [index] : []));
    if (!found.length) throw new Error(`The song has no measure ${part}. Its measures are ${numbers[0]} to ${numbers.at(-1)}.`);
    found.forEach(index => indexes.add(index));
  }
  return [...indexes].sort((a, b) => a - b);
}

/** Indexes of measures -> "1-4,7"; null for none or all of them. */
export function listed(indexes, measures) {
  if (!indexes?.length || indexes.length === measures.length) return null;
  const runs = [];
  for (const index of indexes) {
    const run = runs.at(-1);
    if (run && run[1] === index - 1) run[1] = index;
    else runs.push([index, index]);
  }
  return runs.map(([first, last]) => (first === last ? "" : `${measures[first].number}-`) + measures[last].number).join(",");
}
