// The piano roll of the whole song. The canvas covers the visible part of a wide scroller, so that a long song is as
// quick to draw as a short one.

import { clock, plural } from "./dom.js";
import { notesAfter } from "./mixer.js";

const RULER = 38; // px: chords above, numbers of measures below
const DRUMS = 22; // px: a lane for the drums, whose pitches are no heights
const GUTTER = 30; // px on the left, for the names of the octaves
const END = 14; // px on the right
const NARROWEST = 16; // px a measure, until somebody zooms

const names = ["base", "lane", "line", "bar", "ink", "soft", "accent", "tint", "other", "ghost", "barred"];

export class Roll {
  #host; #canvas; #context; #says;
  #shown = null; // {song, edit, side, indexes, silent}
  #scale = 0; // px a second
  #fitted = true;
  #colours = {};
  #drag = null;
  #cursor = null; // the measure that the keyboard has reached
  #anchor = null;
  #frame = 0;

  /** says: {select(indexes | null), seek(seconds), hover(text, byKey)} */
  constructor(host, says) {
    this.#host = host;
    this.#canvas = host.querySelector("canvas");
    this.#context = this.#canvas.getContext("2d");
    this.#says = says;
    this.#spacer = host.appendChild(document.createElement("div"));
    this.#spacer.className = "spacer";
    new ResizeObserver(() => this.#resize()).observe(host);
    host.addEventListener("scroll", () => this.draw());
    host.addEventListener("pointerdown", event => this.#down(event));
    host.addEventListener("pointermove", event => this.#move(event));
    host.addEventListener("pointerup", event => this.#up(event));
    host.addEventListener("pointercancel", () => { this.#drag = null; this.draw(); });
    host.addEventListener("pointerleave", () => says.hover(""));
    host.addEventListener("keydown", event => this.#key(event));
    host.addEventListener("blur", () => { this.#cursor = null; this.draw(); });
    host.addEventListener("wheel", event => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      this.zoom(event.deltaY < 0 ? 1.2 : 1 / 1.2, event.offsetX);
    }, { passive: false });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { this.#readColours(); this.draw(); });
    document.fonts.ready.then(() => this.draw());
    this.#readColours();
  }

  #spacer;

  show(shown) {
    const other = shown.song !== this.#shown?.song;
    this.#shown = shown;
    if (other) { this.#cursor = this.#anchor = null; this.#layout(true); }
    this.draw();
  }

  fit() { this.#fitted = true; this.#layout(false); this.draw(); }

  zoom(factor, at = this.#host.clientWidth / 2) {
    if (!this.#shown) return;
    const seconds = this.#seconds(at);
    this.#fitted = false;
    this.#scale = Math.min(Math.max(this.#scale * factor, this.#least()), 400);
    this.#layout(false);
    this.#host.scrollLeft = GUTTER + seconds * this.#scale - at;
    this.draw();
  }

  /** Where a time lies, in px of the visible part. */
  x(seconds) { return GUTTER + seconds * this.#scale - this.#host.scrollLeft; }

  /** Turn the page if the playhead has left it. */
  follow(seconds) {
    const x = this.x(seconds);
    if (this.#drag || (x >= GUTTER && x <= this.#host.clientWidth - END)) return;
    this.#host.scrollLeft += x - GUTTER - 20;
  }

  // Layout

  #least() { return Math.max((this.#host.clientWidth - GUTTER - END) / this.#shown.song.duration, 0.5); }

  #layout(fresh) {
    if (!this.#shown || !this.#host.clientWidth) return;
    const { song } = this.#shown, least = this.#least();
    if (fresh) {
      this.#scale = NARROWEST * song.measures.length / song.duration;
      this.#fitted = this.#scale <= least;
    }
    this.#scale = this.#fitted ? least : Math.max(this.#scale, least);
    this.#spacer.style.width = `${GUTTER + song.duration * this.#scale + END}px`;
  }

  #resize() {
    const ratio = devicePixelRatio || 1;
    this.#canvas.width = Math.round(this.#host.clientWidth * ratio);
    this.#canvas.height = Math.round(this.#host.clientHeight * ratio);
    this.#canvas.style.width = `${this.#host.clientWidth}px`;
    this.#canvas.style.height = `${this.#host.clientHeight}px`;
    this.#layout(false);
    this.#paint(); // at once: a canvas of a new size is empty
  }

  #readColours() {
    const style = getComputedStyle(document.documentElement);
    this.#colours = Object.fromEntries(names.map(name => [name, style.getPropertyValue(`--roll-${name}`).trim()]));
  }

  // Drawing

  draw() {
    if (!this.#frame) this.#frame = requestAnimationFrame(() => { this.#frame = 0; this.#paint(); });
  }

  #paint() {
    if (!this.#shown || !this.#host.clientWidth) return;
    const { song, edit, side, silent } = this.#shown;
    const context = this.#context, colours = this.#colours, ratio = devicePixelRatio || 1;
    const width = this.#host.clientWidth, height = this.#host.clientHeight;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    context.fillStyle = colours.base;
    context.fillRect(0, 0, width, height);

    const drums = song.tracks.some(track => track.drum);
    const area = { top: RULER + 6, bottom: height - (drums ? DRUMS + 8 : 8) };
    const [low, high] = this.#span(song, edit);
    const step = (area.bottom - area.top) / (high - low + 1);
    const y = pitch => area.bottom - (pitch - low + 1) * step;
    this.#measures(width, height, area);
    this.#octaves(low, high, y, step, width);

    const note = (start, end, pitch, style) => {
      const left = this.x(start), right = this.x(end);
      if (right < GUTTER - 2 || left > width) return;
      const tall = Math.max(Math.min(step - 1, 10), 2.5);
      const inset = style.line ? 0.6 : 0; // a ghost hides behind the note that took its place
      const box = [left + 0.5 + inset, y(pitch) + (step - tall) / 2 + inset, Math.max(right - left - 1, 2) - 2 * inset, tall - 2 * inset];
      context.beginPath();
      context.roundRect(...box, Math.min(tall / 2, 2.5));
      if (style.fill) { context.fillStyle = style.fill; context.fill(); }
      if (style.line) {
        context.strokeStyle = style.line;
        context.lineWidth = 1.2;
        context.setLineDash([3, 2]);
        context.stroke();
        context.setLineDash([]);
      }
    };
    const after = edit !== null && side === "after";
    const melody = after ? edit.melody : song.melody.notes;
    const own = new Set(melody.map(([start, , pitch]) => `${start} ${pitch}`));
    for (const track of song.tracks) {
      context.globalAlpha = silent(track) ? 0.3 : 1;
      const notes = after ? notesAfter(track, edit) : track.notes;
      if (track.drum) this.#beats(track, height, width);
      else for (const [start, end, pitch] of notes) {
        if (!track.melody || !own.has(`${start} ${pitch}`)) note(start, end, pitch, { fill: colours.other });
      }
    }
    context.globalAlpha = song.tracks.some(track => track.melody && silent(track)) ? 0.4 : 1;
    if (after) for (const [start, end, pitch] of edit.removed) note(start, end, pitch, { line: colours.ghost });
    for (const [start, end, pitch, , what] of melody) {
      note(start, end, pitch, { fill: after && what !== "kept" ? colours.accent : colours.ink });
    }
    context.globalAlpha = 1;
    this.#ruler(width);
  }

  #span(song, edit) {
    const pitches = song.tracks.filter(track => !track.drum).flatMap(track => track.notes.map(note => note[2]))
      .concat((edit?.melody ?? []).map(note => note[2]));
    if (!pitches.length) return [48, 72];
    const low = pitches.reduce((a, b) => Math.min(a, b)), high = pitches.reduce((a, b) => Math.max(a, b));
    const spare = Math.max(0, 24 - (high - low)) / 2;
    return [low - Math.ceil(spare) - 1, high + Math.floor(spare) + 1];
  }

  #measures(width, height, area) {
    const { song, indexes } = this.#shown, context = this.#context, colours = this.#colours;
    const selected = new Set(this.#drag?.indexes ?? indexes ?? []);
    song.measures.forEach((measure, index) => {
      const left = this.x(measure.start), right = this.x(measure.end);
      if (right < 0 || left > width) return;
      if (selected.has(index)) {
        context.fillStyle = colours.tint;
        context.fillRect(left, 0, right - left, height);
        context.fillStyle = colours.accent;
        context.fillRect(left, RULER - 2, right - left, 2);
      } else if (!measure.editable) {
        context.fillStyle = colours.barred;
        context.fillRect(left, RULER, right - left, height - RULER);
      }
      context.fillStyle = colours.bar;
      context.fillRect(Math.round(left), RULER, 1, height - RULER);
      if (index === this.#cursor) {
        context.strokeStyle = colours.accent;
        context.lineWidth = 2;
        context.strokeRect(left + 2, area.top - 2, right - left - 4, area.bottom - area.top + 4);
      }
    });
    context.fillStyle = colours.bar;
    context.fillRect(Math.round(this.x(song.measures.at(-1)?.end ?? song.duration)), RULER, 2, height - RULER);
  }

  #octaves(low, high, y, step, width) {
    const context = this.#context;
    context.font = `10px ${getComputedStyle(document.body).fontFamily}`;
    context.textBaseline = "middle";
    for (let pitch = Math.ceil(low / 12) * 12; pitch <= high; pitch += 12) {
      context.fillStyle = this.#colours.line;
      context.fillRect(GUTTER, Math.round(y(pitch) + step), width, 1);
      context.fillStyle = this.#colours.soft;
      context.textAlign = "right";
      context.fillText(`C${pitch / 12 - 1}`, GUTTER - 6, y(pitch) + step / 2);
    }
  }

  #beats(track, height, width) {
    const context = this.#context;
    context.fillStyle = this.#colours.other;
    for (const [start, , pitch, velocity] of track.notes) {
      const x = this.x(start);
      if (x < GUTTER - 2 || x > width) continue;
      const tall = 3 + 7 * velocity / 127;
      const row = pitch < 37 ? 2 : pitch < 42 ? 1 : 0; // kick, snare, cymbals
      context.fillRect(x, height - DRUMS + row * 6 - tall / 4, 2, tall / 1.5);
    }
  }

  #ruler(width) {
    const { song } = this.#shown, context = this.#context, colours = this.#colours;
    const family = getComputedStyle(document.body).fontFamily;
    context.textBaseline = "alphabetic";
    context.textAlign = "left";
    context.font = `10px ${family}`;
    context.fillStyle = colours.soft;
    let free = -Infinity;
    for (const measure of song.measures) {
      const x = this.x(measure.start) + 4, text = String(measure.number);
      if (x < free || x > width || x < GUTTER - 12) continue;
      context.fillText(text, x, RULER - 6);
      free = x + context.measureText(text).width + 6;
    }
    context.font = `600 12px ${family}`;
    context.fillStyle = colours.ink;
    free = -Infinity;
    for (const chord of song.chords) {
      const x = this.x(chord.start) + 4;
      if (x < free || x > width || x < GUTTER - 12) continue;
      context.fillText(chord.name, x, 15);
      free = x + context.measureText(chord.name).width + 6;
    }
  }

  // Pointer and keyboard

  #seconds(x) { return (x + this.#host.scrollLeft - GUTTER) / this.#scale; }

  #at(x) {
    const { measures } = this.#shown.song, seconds = this.#seconds(x);
    const index = measures.findIndex(measure => seconds < measure.end);
    return index < 0 ? measures.length - 1 : index;
  }

  #place(event) {
    const box = this.#host.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  #down(event) {
    const { x, y } = this.#place(event);
    if (!this.#shown?.song.measures.length || event.button || y > this.#host.clientHeight) return;
    if (y < RULER) { this.#says.seek(Math.max(0, this.#seconds(x))); return; }
    const first = this.#at(x);
    this.#drag = { first, last: first, touch: event.pointerType === "touch", added: event.shiftKey || event.ctrlKey };
    if (this.#drag.touch) return; // a finger that moves scrolls; a tap chooses
    this.#host.setPointerCapture(event.pointerId);
    this.#stretch(first);
  }

  #move(event) {
    const { x } = this.#place(event);
    if (!this.#shown?.song.measures.length) return;
    if (this.#drag && !this.#drag.touch) this.#stretch(this.#at(x));
    else if (!this.#drag) this.#tell(this.#at(x), Math.max(0, this.#seconds(x)));
  }

  #stretch(last) {
    const drag = this.#drag;
    drag.last = last;
    const range = between(drag.first, last);
    drag.indexes = drag.added ? [...new Set([...(this.#shown.indexes ?? []), ...range])].sort((a, b) => a - b) : range;
    this.#tell(last);
    this.draw();
  }

  #up() {
    const drag = this.#drag, before = this.#shown?.indexes ?? [];
    this.#drag = null;
    if (!drag) return;
    if (drag.touch) { // one tap chooses, a second extends, a tap inside lets go
      const { first } = drag;
      const inside = before.includes(first);
      const range = before.length ? between(Math.min(first, before[0]), Math.max(first, before.at(-1))) : [first];
      this.#says.select(inside ? null : range);
    } else {
      const again = drag.first === drag.last && before.length === 1 && before[0] === drag.first;
      this.#says.select(again ? null : drag.indexes);
    }
    this.draw();
  }

  #key(event) {
    const steps = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };
    const { song, indexes } = this.#shown ?? {};
    if (!song?.measures.length || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in steps) {
      const last = song.measures.length - 1;
      const from = this.#cursor ?? -1;
      this.#cursor = Math.min(Math.max(from + steps[event.key], 0), last);
      if (event.shiftKey) {
        this.#anchor ??= Math.max(from, 0);
        this.#says.select(between(this.#anchor, this.#cursor));
      } else this.#anchor = null;
      this.follow(song.measures[this.#cursor].start);
      this.#tell(this.#cursor, undefined, true);
    } else if (event.key === "Enter" && this.#cursor !== null) {
      const now = new Set(indexes ?? []);
      if (!now.delete(this.#cursor)) now.add(this.#cursor);
      this.#says.select([...now].sort((a, b) => a - b));
    } else return;
    event.preventDefault();
    this.draw();
  }

  /** Say which measure the pointer or the keyboard is at. */
  #tell(index, seconds, byKey = false) {
    const { song } = this.#shown, measure = song.measures[index];
    const notes = song.melody.notes.filter(note => note[0] >= measure.start - 1e-6 && note[0] < measure.end - 1e-6).length;
    const words = [`Measure ${measure.number}`, plural(notes, "note")];
    if (seconds !== undefined) words.push(clock(seconds));
    if (!measure.editable) words.push(`stays: ${measure.reason ?? "nothing to edit"}`);
    this.#says.hover(words.join(" · "), byKey);
  }
}

const between = (a, b) => Array.from({ length: Math.abs(b - a) + 1 }, (_, i) => Math.min(a, b) + i);

/** A small picture of a melody: kept notes in ink, others in the accent colour. */
export function thumbnail(canvas, edit, duration) {
  const ratio = devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
  const style = getComputedStyle(document.documentElement), colour = name => style.getPropertyValue(`--roll-${name}`);
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  const pitches = edit.melody.map(note => note[2]);
  if (!pitches.length) return;
  const low = Math.min(...pitches), step = Math.min(height / (Math.max(...pitches) - low + 1), 5);
  const top = (height - step * (Math.max(...pitches) - low + 1)) / 2;
  for (const [start, end, pitch, , what] of edit.melody) {
    context.fillStyle = what === "kept" ? colour("other") : colour("accent");
    const y = height - top - (pitch - low + 1) * step;
    context.fillRect(start / duration * width, y, Math.max((end - start) / duration * width - 0.5, 1), Math.max(step - 0.5, 1.5));
  }
}
