// What the page shows: a song, the settings of an edit, and the edit. Each finished change is a step that can be undone.

const QUICK = 16; // proposals of a measure while a slider moves, which take half of the time
const MOST_STEPS = 200; // that can be undone
const MOST_EDITS = 300; // that are remembered

export const UNTOUCHED = Object.freeze({
  sliders: {}, bars: null, keep: [], locks: [], harmony: true, chords: null, strength: null, seed: 0, each: false, free_ends: false,
  form: true, model: null,
});

/** Whether two steps have the same edit. */
export const alike = (a, b) => key(a) === key(b);
const key = ({ song, settings }) => `${song.id} ${JSON.stringify(settings)}`;

/** A step is {song, settings, moving}. It never changes. `moving`: a slider still moves. */
export class Session {
  steps = [];
  at = -1;
  #edits = new Map(); // by the key of a step; the oldest first
  now = null;

  get edit() { return this.now && this.editOf(this.now); }
  get canUndo() { return this.at > 0; }
  get canRedo() { return this.at < this.steps.length - 1; }

  /** Does the step request anything? Without a request there is no edit. */
  get requests() { return this.now !== null && Object.keys(this.now.settings.sliders).length > 0; }

  editOf(step) { return this.#edits.get(key(step)) ?? null; }

  /** Show a step without keeping it. A slider that comes back to where it was does not move: no `change` event follows. */
  show(song, settings, moving = false) {
    const last = this.steps[this.at], step = { song, settings: Object.freeze(settings), moving };
    this.now = last && alike(last, step) ? last : Object.freeze(step);
  }

  /** Keep what is shown as a step, if it is another one than the last. */
  keep() {
    if (this.now === this.steps[this.at]) return;
    this.steps.splice(this.at + 1, Infinity, this.now);
    this.steps.splice(0, this.steps.length - MOST_STEPS);
    this.at = this.steps.length - 1;
  }

  attach(step, edit) {
    this.#edits.delete(key(step));
    this.#edits.set(key(step), edit);
    if (this.#edits.size > MOST_EDITS) this.#edits.delete(this.#edits.keys().next().value);
  }

  restore(steps, at) {
    this.steps = steps.map(step => Object.freeze({ ...step, settings: Object.freeze(step.settings), moving: false }));
    this.at = at;
    this.now = this.steps[at];
  }

  undo() { if (this.canUndo) this.now = this.steps[--this.at]; }
  redo() { if (this.canRedo) this.now = this.steps[++this.at]; }
}

/** The settings of a step for the server; `quick` for a preview. */
export const wish = ({ settings }, quick) => (quick ? { ...settings, proposals: QUICK } : settings);

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
