// The cards of the page: what is shown in which order, and the rolls and players of the cards.
"use strict";

const by = id => document.getElementById(id);
const { parts: PARTS, cards: CARDS } = JSON.parse(by("music").textContent);
const player = new Player();
const elements = [...document.querySelectorAll(".card")];
const cards = new Map();
let active = null; // the card that plays, or played last

class Card {
  constructor(element) {
    this.element = element;
    const data = CARDS[element.dataset.card];
    const take = numbers => numbers.map(number => PARTS[number]);
    this.sides = { before: take(data.before), after: take(data.after) };
    this.muted = new Set();
    this.loop = false;
    this.at = 0;
    this.find = name => element.querySelector(`[data-do=${name}]`);
    this.roll = new Roll(element.querySelector(".roll"),
      { ...this.sides, measures: PARTS[data.measures], melody: PARTS[data.melody] });
    this.roll.muted = track => this.muted.has(name(track));
    this.find("play").addEventListener("click", () => this.toggle());
    for (const side of ["before", "after"]) this.find(side).addEventListener("click", () => this.show(side));
    this.find("loop").addEventListener("click", () => this.setLoop(!this.loop));
    this.find("position").addEventListener("input", event => this.seek(Number(event.target.value)));
    this.find("position").max = this.roll.duration;
    this.listTracks();
    this.scores = data.scores;
    this.element.querySelector(".score")?.addEventListener("toggle", () => this.showScore());
    this.showScore();
    this.listenToRoll();
    this.update();
  }

  get playing() { return active === this && player.run !== null; }

  listTracks() {
    const list = this.element.querySelector(".tracks ul"), found = new Map();
    for (const track of [...this.sides.before, ...this.sides.after]) found.set(name(track), track);
    for (const [key, track] of found) {
      const box = Object.assign(document.createElement("input"), { type: "checkbox", checked: true });
      const label = document.createElement("label"), words = track.name || `track ${track.number}`;
      label.append(box, ` ${words}${track.channel === DRUMS ? " (drums)" : ""}`);
      list.appendChild(document.createElement("li")).append(label);
      box.addEventListener("change", () => {
        this.muted[box.checked ? "delete" : "add"](key);
        if (this.playing) player.remix();
        this.roll.draw();
      });
    }
  }

  showScore() { // of the side that sounds; drawing one takes a moment, so only where it is open
    const fold = this.element.querySelector(".score"), side = this.roll.shown;
    if (!fold || !fold.open || fold.dataset.side === side) return;
    const image = fold.querySelector("img") || fold.lastElementChild.appendChild(document.createElement("img"));
    image.src = `data:image/svg+xml,${encodeURIComponent(PARTS[this.scores[side === "before" ? 0 : 1]])}`;
    image.alt = `The score ${side} the edit`;
    image.dataset.side = fold.dataset.side = side;
  }

  listenToRoll() { // a click moves the playhead, and dragging with the mouse chooses measures
    const box = this.roll.element;
    const time = event => this.roll.time(event.clientX - box.getBoundingClientRect().left + box.scrollLeft);
    let from = null;
    box.addEventListener("pointerdown", event => { from = event.button === 0 ? event : null; });
    box.addEventListener("pointermove", event => {
      if (!from || event.pointerType !== "mouse" || Math.abs(event.clientX - from.clientX) < 6) return;
      this.roll.region = this.roll.snapped(time(from), time(event));
      this.roll.draw();
    });
    window.addEventListener("pointerup", event => {
      if (!from || !box.contains(event.target)) { from = null; return; }
      if (Math.abs(event.clientX - from.clientX) < 6) {
        const region = this.roll.region, at = time(event);
        if (region && (at < region[0] || at > region[1])) this.roll.region = null;
        this.seek(at);
      } else if (this.roll.region) {
        this.setLoop(true);
        this.seek(this.roll.region[0]);
      }
      this.roll.draw();
      from = null;
    });
  }

  toggle() {
    if (this.playing) { this.at = player.position(); player.stop(); }
    else this.start();
  }

  start() {
    const region = this.roll.region || [0, this.roll.duration];
    if (this.at < region[0] || this.at >= region[1] - 0.05) this.at = region[0];
    player.play(this.sides[this.roll.shown], { from: this.at, region, loop: this.loop, muted: this.roll.muted,
      ended: () => { if (!this.loop && this.at >= region[1] - 0.05) this.at = region[0]; this.update(); } });
    active = this;
    this.update();
    follow();
  }

  restart() { if (this.playing) { this.at = player.position(); this.start(); } else this.update(); }
  setLoop(loop) { this.loop = loop; this.restart(); }

  seek(time) {
    const playing = this.playing;
    if (playing) player.stop();
    this.at = time;
    if (playing) this.start();
    else this.update();
  }

  show(side) {
    if (this.playing) this.at = player.position();
    this.roll.shown = side;
    this.roll.draw();
    if (this.playing) this.start();
    else this.update();
    this.showScore();
  }

  update() {
    const playing = this.playing, time = playing ? player.position() : this.at;
    if (playing) this.at = time;
    this.roll.point(playing || time > 0 ? time : null);
    this.find("play").textContent = playing ? "Stop" : "Play";
    this.find("play").setAttribute("aria-pressed", String(playing));
    this.find("loop").setAttribute("aria-pressed", String(this.loop));
    for (const side of ["before", "after"]) this.find(side).setAttribute("aria-pressed", String(side === this.roll.shown));
    this.find("position").value = time;
    this.find("position").setAttribute("aria-valuetext", clock(time));
    this.find("clock").textContent = `${clock(time)} / ${clock(this.roll.duration)}`;
  }
}

function name(track) { return `${track.number}:${track.channel}:${track.program}`; }
function clock(time) { return `${Math.floor(time / 60)}:${String(Math.floor(time % 60)).padStart(2, "0")}`; }
function follow() {
  if (!player.run) return;
  active.update();
  requestAnimationFrame(follow);
}
function card(element) {
  if (!cards.has(element)) cards.set(element, new Card(element));
  return cards.get(element);
}

// A card is drawn when it comes near the window, since a page may have hundreds.
const near = new IntersectionObserver(seen => {
  for (const { isIntersecting, target } of seen) if (isIntersecting) { near.unobserve(target); card(target); }
}, { rootMargin: "600px" });
elements.forEach((element, i) => { if (i < 9) card(element); else near.observe(element); });
const redraw = () => { for (const one of cards.values()) one.roll.draw(); };
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
window.addEventListener("beforeprint", () => { elements.forEach(card); redraw(); });

document.addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, button, a, summary")) {
    if (event.key === "Escape") player.stop();
    return;
  }
  const shown = elements.find(element => !element.hidden);
  const chosen = active || (shown && card(shown));
  const actions = { " ": () => chosen.toggle(), b: () => chosen.show(chosen.roll.shown === "after" ? "before" : "after"),
    l: () => chosen.setLoop(!chosen.loop), Escape: () => player.stop() };
  if (!chosen || !actions[event.key]) return;
  event.preventDefault();
  actions[event.key]();
});

// What is shown, and in which order. A grid of edits is a grid as long as nothing is filtered or sorted.
if (by("filter")) {
  const values = new Map(elements.map(element => [element, JSON.parse(element.dataset.values)]));
  const cells = new Map(elements.map(element => [element, element.parentElement]));
  const grids = [...document.querySelectorAll(".grid-part")];
  const arrange = () => {
    const words = by("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
    const key = by("sort").value, sign = by("down").checked ? -1 : 1, exact = by("exact")?.checked;
    const order = elements.map((element, i) => [element, i]).sort(([a, i], [b, j]) => {
      const x = key ? values.get(a)[key] ?? null : i, y = key ? values.get(b)[key] ?? null : j;
      if (x === null || y === null) return (x === null) - (y === null) || i - j;
      return sign * (x < y ? -1 : x > y ? 1 : 0) || i - j;
    });
    const whole = grids.length > 0 && !words.length && !key && !exact && sign === 1;
    let shown = 0;
    for (const [element] of order) {
      const file = values.get(element).file.toLowerCase();
      element.hidden = !words.every(word => file.includes(word)) || (exact && element.dataset.exact === "0");
      shown += !element.hidden;
      (whole ? cells.get(element) : by("cards")).append(element);
    }
    for (const grid of grids) grid.hidden = !whole;
    by("shown").textContent = shown === elements.length ? "" : `${shown} of ${elements.length} shown`;
    redraw();
  };
  for (const id of ["filter", "sort", "down", "exact"]) by(id)?.addEventListener("input", arrange);
  document.querySelector("form").addEventListener("submit", event => event.preventDefault());
}
