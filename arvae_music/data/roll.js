// The piano roll of all tracks before and after an edit, on a canvas that scrolls in time.
//
//   const roll = new Roll(element, { before, after, measures: [[number, start, end, reason], ...],
//                                     melody: [[start, pitch], ...] });
//   roll.shown = "before";  roll.draw();  roll.point(seconds);
//
// A note of one side that the other side does not start is new or removed; other notes of the melody are kept. All
// other notes lie behind, and drums in a lane of their own.
"use strict";

const TOP = 16, LANE = 16, LEFT = 30; // pixels: the measures' numbers, the drums, the pitches' names
const WIDEST = 8e6; // pixels; browsers cannot scroll much further
const LABEL = "10px system-ui, sans-serif";
const PITCHES = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"];
const pitchName = pitch => PITCHES[pitch % 12] + (Math.floor(pitch / 12) - 1);
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

class Roll {
  constructor(element, data) {
    Object.assign(this, data);
    this.element = element;
    this.shown = "after";
    this.region = null; // seconds, if a part was chosen
    this.muted = () => false;
    this.long = element.appendChild(document.createElement("div"));
    this.canvas = this.long.appendChild(document.createElement("canvas"));
    this.head = this.long.appendChild(document.createElement("div"));
    this.long.className = "long";
    this.head.className = "head";
    this.head.hidden = true;
    this.compare();
    const most = numbers => numbers.reduce((a, b) => Math.max(a, b)); // a call takes no more than about 100,000 arguments
    this.duration = most([...this.measures.map(measure => measure[2]), ...this.notes.map(note => note.end), 1]);
    const pitches = [...this.notes.filter(note => !note.drum).map(note => note.pitch), 67];
    [this.low, this.high] = [-most(pitches.map(pitch => -pitch)) - 2, most(pitches) + 2];
    while (this.high - this.low < 18) { this.low--; this.high++; }
    this.lane = this.notes.some(note => note.drum) ? LANE : 0;
    element.addEventListener("scroll", () => this.draw());
    new ResizeObserver(() => requestAnimationFrame(() => this.draw())).observe(element);
    this.draw();
    element.addEventListener("mousemove", event => this.explain(event));
  }

  compare() {
    const key = (track, [start, , pitch]) => `${track.number}:${track.channel}:${start.toFixed(3)}:${pitch}`;
    const melody = new Set(this.melody.map(([start, pitch]) => `${start.toFixed(3)}:${pitch}`));
    const kept = ([start, , pitch]) => (melody.has(`${start.toFixed(3)}:${pitch}`) ? "kept" : "other");
    const starts = tracks => new Set(tracks.flatMap(track => track.notes.map(note => key(track, note))));
    const old = starts(this.before), current = starts(this.after);
    this.notes = [];
    const add = (track, note, state) => this.notes.push({ track, state, start: note[0], end: note[0] + note[1],
      pitch: note[2], drum: track.channel === DRUMS });
    for (const track of this.after)
      for (const note of track.notes)
        add(track, note, old.has(key(track, note)) ? kept(note) : "new");
    for (const track of this.before)
      for (const note of track.notes) if (!current.has(key(track, note))) add(track, note, "removed");
    const order = { other: 0, kept: 1, removed: 2, new: 3 };
    this.notes.sort((a, b) => order[a.state] - order[b.state]);
  }

  // Pixels in the whole picture, of which the canvas shows a part.
  get scale() {
    const bars = this.measures.map(measure => measure[2] - measure[1]).sort((a, b) => a - b);
    const usual = bars[bars.length >> 1] || 2;
    const least = Number(getComputedStyle(this.element).getPropertyValue("--measure")) || 60;
    return Math.min(Math.max((this.element.clientWidth - LEFT - 8) / this.duration, least / usual), WIDEST / this.duration);
  }
  x(time) { return LEFT + time * this.scale; }
  time(x) { return clamp((x - LEFT) / this.scale, 0, this.duration); }
  y(pitch) { return TOP + (this.high - pitch) * this.row; }
  get row() { return (this.element.clientHeight - TOP - this.lane - 2) / (this.high - this.low + 1); }

  draw() {
    const { clientWidth: width, clientHeight: height, scrollLeft: left } = this.element;
    if (!width) return;
    const style = getComputedStyle(document.documentElement), ratio = window.devicePixelRatio || 1;
    const colour = name => style.getPropertyValue(`--${name}`);
    this.long.style.width = `${Math.max(width, this.x(this.duration) + 8)}px`;
    this.canvas.width = width * ratio;
    this.canvas.height = height * ratio;
    this.canvas.style.width = `${width}px`;
    this.canvas.style.height = `${height}px`;
    const pen = this.canvas.getContext("2d");
    pen.scale(ratio, ratio);
    const scale = this.scale, row = this.row, at = time => LEFT + time * scale - left;
    for (let pitch = this.low; pitch <= this.high; pitch++) {
      if (![1, 3, 6, 8, 10].includes(pitch % 12)) continue;
      pen.fillStyle = colour("black-key");
      pen.fillRect(0, this.y(pitch), width, row);
    }
    if (this.region) {
      pen.fillStyle = colour("chosen");
      pen.fillRect(at(this.region[0]), 0, (this.region[1] - this.region[0]) * scale, height);
    }
    this.drawMeasures(pen, at, width, height, colour);
    for (const note of this.notes) this.drawNote(pen, note, at, width, height, colour);
    this.drawPitches(pen, height, colour);
  }

  drawMeasures(pen, at, width, height, colour) {
    pen.font = LABEL;
    let free = LEFT;
    for (const [number, start, end, reason] of this.measures) {
      const x = at(start), right = at(end);
      if (right < 0 || x > width) continue;
      if (reason) {
        pen.fillStyle = colour("untouched");
        pen.fillRect(x, TOP, right - x, height - TOP);
      }
      pen.fillStyle = colour("line");
      pen.fillRect(x, TOP - 4, 1, height);
      const text = number === 0 ? "pickup" : String(number);
      if (x >= free) {
        pen.fillStyle = colour("soft");
        pen.fillText(text, x + 2, 11);
        free = x + pen.measureText(text).width + 8;
      }
    }
  }

  drawNote(pen, note, at, width, height, colour) {
    const x = at(note.start), right = at(note.end);
    if (right < 0 || x > width) return;
    const fit = Math.max(right - x - 1, 2), tall = Math.max(this.row - 1, 2.5);
    const muted = this.muted(note.track) ? 0.25 : 1;
    if (note.drum) {
      pen.globalAlpha = 0.8 * muted;
      pen.fillStyle = colour("other");
      pen.fillRect(x, height - LANE + 2 + ((note.pitch * 5) % (LANE - 5)), 2.5, 2.5);
    } else {
      const y = this.y(note.pitch) + (this.row - tall) / 2;
      const silent = note.state === (this.shown === "after" ? "removed" : "new"); // it does not sound now
      pen.globalAlpha = (note.state === "other" ? 0.55 : 1) * muted;
      pen.fillStyle = pen.strokeStyle = colour(note.state);
      pen.setLineDash(note.state === "removed" ? [3, 2] : []);
      pen.lineWidth = 1.5;
      if (!silent) pen.fillRect(x, y, fit, tall);
      else pen.strokeRect(x + 0.75, y + 0.75, Math.max(fit - 1.5, 1), Math.max(tall - 1.5, 1));
    }
    pen.globalAlpha = 1;
    pen.setLineDash([]);
  }

  drawPitches(pen, height, colour) {
    pen.fillStyle = colour("card");
    pen.fillRect(0, 0, LEFT - 2, height);
    pen.fillStyle = colour("soft");
    let free = height;
    for (let pitch = this.low; pitch <= this.high; pitch++) {
      const y = this.y(pitch) + this.row / 2 + 3.5;
      if (pitch % 12 || y > free || y < 10) continue;
      pen.fillText(pitchName(pitch), 2, y);
      free = y - 12;
    }
    if (this.lane) pen.fillText("drum", 1, height - 4);
  }

  explain(event) {
    const box = this.element.getBoundingClientRect();
    const time = this.time(event.clientX - box.left + this.element.scrollLeft);
    const pitch = this.high - Math.floor((event.clientY - box.top - TOP) / this.row);
    const hit = this.notes.filter(n => !n.drum && n.start <= time && time < n.end && n.pitch === pitch).pop();
    const measure = this.measures.find(([, start, end]) => start <= time && time < end);
    const place = measure ? `measure ${measure[0]}` : "";
    const words = { other: "", kept: ", kept", new: ", new", removed: ", removed" };
    const note = hit ? `: ${pitchName(hit.pitch)} of ${hit.track.name || `track ${hit.track.number}`}${words[hit.state]}` : "";
    this.element.title = place + note + (measure && measure[3] ? `; unchanged: ${measure[3]}` : "");
  }

  snapped(from, to) { // the whole measures between two times
    const inside = this.measures.filter(([, start, end]) => end > Math.min(from, to) && start < Math.max(from, to));
    return inside.length ? [inside[0][1], inside[inside.length - 1][2]] : null;
  }

  point(time) { // the playhead
    this.head.hidden = time === null;
    if (time === null) return;
    const x = this.x(time), { scrollLeft: left, clientWidth: width } = this.element;
    this.head.style.left = `${x}px`;
    if (x < left + LEFT || x > left + width - 20) this.element.scrollLeft = x - LEFT - 20;
  }
}
