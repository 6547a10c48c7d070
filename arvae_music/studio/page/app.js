// The studio: joins the song and its edit with the roll, the sliders, the sound, the variations and the keyboard.

import * as api from "./api.js";
import { by, clock, complain, el, figure, plural, press, say, settle } from "./dom.js";
import { Keeping, listEarlier, offerEarlier } from "./keeping.js";
import { prepareKeys } from "./keys.js";
import { Mixer, notesAfter } from "./mixer.js";
import { Panel } from "./panel.js";
import { Player } from "./player.js";
import { Roll } from "./roll.js";
import { prepareSaving } from "./saving.js";
import { Score } from "./score.js";
import { alike, chosen, listed, Session, UNTOUCHED, wish } from "./session.js";
import { Variations } from "./variations.js";

const session = new Session();
const view = { side: "after", score: false, loop: false, heard: null }; // heard: {edit, song} of a variation
let panel = null; // once the server has told its state
let instance = null; // of the server: ids of songs and edits are those of one run
let sounding = null; // the song or edit whose bytes the player has

const player = new Player({ changed: showTransport, failed: complain });
const mixer = new Mixer({ changed: () => { player.mute(mixer.silenced); render(); }, melody: number => reopen({ track: number }) });
const score = new Score();
const roll = new Roll(by("roll"), {
  select: indexes => choose(indexes),
  seek: seconds => player.seek(seconds),
  hover: (text, byKey) => { by("hover").textContent = text; if (byKey) say(text); },
});
const variations = new Variations({
  stage: () => session.now,
  audition: heard => audition(heard),
  use: edit => adopt(edit),
  changed: () => keeping.soon(),
});
const keeping = new Keeping(kept);

// The song

async function opened(loading) {
  by("busy").hidden = false;
  try {
    await ready;
    const song = await loading();
    variations.clear();
    sounding = null;
    by("offer").hidden = true;
    player.pause();
    player.seek(0);
    settle();
    show(song, { ...UNTOUCHED });
    session.keep();
    render();
    by("ms").textContent = "";
    say(`${song.name}: ${plural(song.measures.length, "measure")}, ${plural(song.tracks.length, "track")}.`);
    by("roll").focus({ preventScroll: true });
  } catch (problem) {
    complain(problem);
  } finally {
    by("busy").hidden = true;
  }
}

const openFile = file => opened(async () => api.open(await file.arrayBuffer(), file.name));

/** Read the same file again with another track or voice as its melody. */
async function reopen(choice) {
  const { id, melody: { track, voice } } = session.now.song;
  await opened(() => api.again(id, { track, voice, ...choice }));
  render(); // the choice is as it was, if the file has no such melody
}

/** The edit becomes a song of its own, and the sliders start from there. */
async function adopt(edit) {
  try {
    const song = await api.adopt(edit.id);
    show(song, { ...UNTOUCHED, bars: session.now.settings.bars });
    session.keep();
    render();
    say("The edit is the song now.");
  } catch (problem) {
    complain(problem);
  }
}

// The edit

function show(song, settings, moving = false) {
  session.show(song, settings, moving);
  view.heard = null;
}

let moved = null; // when the settings changed last
let under = null; // the request that is under way: {step, quick, stop}
let latest = null; // the newest answer, which stays in the picture until the next one is there: {edit, step}

function change(settings, finished) {
  moved = performance.now();
  show(session.now.song, settings, !finished);
  view.side = "after";
  if (finished) session.keep();
  render();
  if (session.edit) measureTime();
  follow();
}

/** Whether somebody still waits for a request: for a preview while a slider moves, for an edit while its settings are
 * those that are shown. */
const awaited = ({ step, quick }) => (quick ? session.now.moving : alike(step, session.now));

/** Edit as is shown now, and cancel what is no longer shown. While a slider moves, a preview comes first; if the slider
 * then rests, the whole edit follows, so that it is often there when the slider is let go. */
async function follow() {
  if (under && !awaited(under)) under.stop.abort();
  if (under) return;
  while (session.requests && !session.edit) {
    const step = session.now, quick = step.moving && latest?.step !== step;
    under = { step, quick, stop: new AbortController() };
    try {
      const edit = await api.edit(step.song.id, wish(step, quick), under.stop.signal);
      if (!quick) session.attach(step, edit);
      settle();
      if (step.song !== session.now.song) continue;
      latest = { edit, step };
      render();
      measureTime();
    } catch (problem) {
      if (step !== session.now) continue; // a newer request follows
      latest = null;
      complain(problem);
      render();
      break;
    } finally {
      under = null;
    }
  }
  if (player.playing) hear();
}

/** Tell how long the latest movement took to become a picture. */
function measureTime() {
  const since = moved;
  requestAnimationFrame(() => requestAnimationFrame(() => {
    if (since !== null && since === moved) by("ms").textContent = `${Math.round(performance.now() - since)} ms`;
  }));
}

/** Escape closes a message, or else lets go of the chosen measures. */
function escape() {
  if (!by("problem").hidden) settle();
  else if (session.now?.settings.bars) choose(null);
}

function choose(indexes) {
  const { song, settings } = session.now;
  change({ ...settings, bars: listed(indexes, song.measures) }, true);
}

/** Show and play a variation; once more, and it goes. */
async function audition(heard) {
  view.heard = view.heard?.edit === heard.edit ? null : heard;
  view.side = "after";
  render();
  await hear();
  if (view.heard && !player.playing) await player.play();
}

function step(direction) {
  if (!(direction < 0 ? session.canUndo : session.canRedo)) return;
  const { song } = session.now;
  if (direction < 0) session.undo();
  else session.redo();
  view.heard = null;
  if (song !== session.now.song) player.seek(Math.min(player.now, session.now.song.duration));
  render();
  follow();
  say(direction < 0 ? "Undone." : "Redone.");
}

// The picture

/** The edit that is shown: until the right one is there, the last that came. */
const picture = () => whole() ?? (session.requests && latest?.step.song === session.now.song ? latest.edit : null);
/** The whole edit of exactly these settings, or null: there is only a preview yet, or nothing is requested. */
const whole = () => view.heard?.edit ?? (session.requests ? session.edit : null);
/** The same, once no slider moves. */
const edit = () => (session.now?.moving ? null : whole());
/** What is saved: null while an edit is on its way. */
const thing = () => edit() ?? (session.requests ? null : session.now?.song ?? null);
const indexes = () => chosen(session.now.settings.bars, session.now.song.measures);

function render() {
  if (!session.now) return;
  const { song, settings } = session.now, now = picture(), selected = indexes();
  const base = view.heard?.song ?? song; // variations may be of an earlier song
  document.body.dataset.view = "studio";
  by("empty").hidden = true;
  by("studio").hidden = false;
  document.title = `${song.name} – arvae studio`;
  by("title").textContent = song.name;
  by("facts").textContent = [song.key, song.meter, song.tempo && `${Math.round(song.tempo)} bpm`, plural(song.measures.length, "measure")]
    .filter(Boolean).join(" · ");
  mixer.show(song);
  by("notices-box").hidden = !song.notices.length;
  by("notices-box").firstElementChild.textContent = plural(song.notices.length, "notice") + " about the file";
  by("notices").replaceChildren(...song.notices.map(notice => el("li", {}, notice)));
  by("voice").value = song.melody.voice;
  panel.show(song, settings, now, selected, now !== null && now === session.edit);
  variations.show(view.heard?.edit);
  by("roll").hidden = by("roll-frame").hidden = view.score;
  by("score").hidden = !view.score;
  by("zoom").hidden = view.score;
  roll.show({ song: base, edit: now, side: view.side, indexes: selected, silent: track => mixer.silent(track) });
  if (view.score) showScore(base);
  press(by("view-roll"), !view.score);
  press(by("view-score"), view.score);
  press(by("side-before"), view.side === "before");
  press(by("side-after"), view.side === "after");
  by("side-before").disabled = by("side-after").disabled = !now;
  if (document.activeElement !== by("bars")) by("bars").value = settings.bars ?? "";
  by("clear").hidden = !settings.bars;
  by("undo").disabled = !session.canUndo;
  by("redo").disabled = !session.canRedo;
  by("adopt").disabled = !edit();
  by("save").disabled = !thing();
  player.repeat(view.loop ? span(song, selected) : null);
  showOutcome(now);
  showTransport();
  keeping.soon();
}

/** The score waits for the whole edit: engraving previews would slow down the slider. */
function showScore(base) {
  if (view.side === "before" || !picture()) score.show(base);
  else if (whole()) score.show(whole());
}

let told = null; // the edit that a screen reader was told of

function showOutcome(now) {
  const words = now ? outcome(now) : session.now.settings.bars ? "Move a slider to change these measures." : "Move a slider, or drag over measures first.";
  by("outcome").textContent = words;
  by("outcome").title = now ? leftAlone(now) : "";
  if (now && now !== told) {
    const requested = now.attributes.filter(result => result.requested !== null && result.requested !== undefined);
    say([...requested.map(result => `${result.name}: ${figure(result.before)} becomes ${figure(result.achieved)} ${result.unit}`), words].join(". "));
  }
  told = now;
}

function outcome(now) {
  const all = session.now.song.measures.length;
  const changed = now.changed.length ? `${now.changed.length} of ${plural(all, "measure")} changed` : "No measure changed";
  return view.heard ? `Variation: ${changed.toLowerCase()}.` : `${changed}.`;
}

/** "12 not selected; 1 better as they are" */
function leftAlone(now) {
  const reasons = new Map();
  for (const { reason } of now.left_alone) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  return [...reasons].map(([reason, count]) => `${count} ${reason}`).join("; ");
}

const span = (song, selected) => {
  const measures = selected ? selected.map(index => song.measures[index]) : song.measures;
  return measures.length ? [measures[0].start, measures.at(-1).end] : [0, song.duration];
};

// The sound

/** Give the player the bytes of what is shown, if it has others. */
async function hear() {
  if (!session.now) return;
  const wanted = view.side === "after" ? picture() ?? thing() : view.heard?.song ?? session.now.song;
  if (!wanted || wanted === sounding) return;
  sounding = wanted;
  try {
    const bytes = await api.midi(wanted);
    if (sounding !== wanted) return;
    player.load(bytes, tracksOf(wanted));
    player.mute(mixer.silenced);
  } catch (problem) {
    sounding = null;
    complain(problem);
  }
}

/** The notes of all tracks, for files that the synthesizer cannot read although arvae can. */
function tracksOf(what) {
  const song = view.heard?.song ?? session.now.song;
  return song.tracks.map(track => ({ ...track, notes: notesAfter(track, what) }));
}

async function playOrPause() {
  if (player.playing) return player.pause();
  const { song } = session.now;
  const [start, end] = span(song, view.loop || session.now.settings.bars ? indexes() : null);
  if (player.now >= end - 0.05 || player.now < start - 0.05) player.seek(start);
  await hear();
  await player.play();
}

function showTransport() {
  by("play").setAttribute("aria-label", player.playing ? "Pause" : "Play");
  by("play").classList.toggle("playing", player.playing);
  tick();
}

let frame = 0;

function tick() {
  cancelAnimationFrame(frame);
  const now = player.now;
  by("clock").textContent = `${clock(now)} / ${clock(session.now?.song.duration ?? 0)}`;
  if (player.playing) roll.follow(now);
  const x = session.now ? roll.x(now) : -9;
  by("playhead").hidden = x < 24 || x > by("roll").clientWidth;
  by("playhead").style.transform = `translateX(${x}px)`;
  document.body.dataset.started = player.started;
  if (player.playing) frame = requestAnimationFrame(tick);
}

function side(name) {
  view.side = name;
  render();
  if (player.playing) hear();
}

// What a reload, or another start of the studio, brings back

const MOST_SONGS = 24; // that the server keeps of a session

/** What is kept: all steps, or the latest ones if they are of too many songs. */
function kept() {
  if (!session.now || variations.restoring) return null;
  const songs = new Set(variations.songs), steps = [];
  for (const step of session.steps.toReversed()) {
    if (songs.size >= MOST_SONGS && !songs.has(step.song.id)) break;
    songs.add(step.song.id);
    steps.unshift(step);
  }
  const edits = steps.map(step => session.editOf(step)?.id).filter(Boolean);
  return {
    title: session.now.song.name, songs: [...songs], edits: [...new Set([...edits, ...variations.edits])],
    page: {
      instance, at: Math.max(0, session.at - session.steps.length + steps.length),
      steps: steps.map(({ song, settings }) => ({ song: song.id, settings })), ...variations.kept,
    },
  };
}

/** Show an earlier session: {id, songs, page}. */
async function restore({ id, songs: found, page }) {
  keeping.begin(id);
  const songs = new Map(Object.entries(found));
  session.restore(page.steps.map(({ song, settings }) => ({ song: songs.get(song), settings: { ...UNTOUCHED, ...settings } })), page.at);
  view.heard = null;
  render();
  follow();
  await variations.restore(page, songs, page.instance === instance);
}

const goOn = ({ id }) => api.session(id).then(found => restore({ id, ...found })).catch(complain);

async function recall({ opened: first }) {
  const last = await keeping.last();
  if (last) return restore(last);
  keeping.begin();
  const earlier = await keeping.earlier();
  const song = first && await api.song(first).catch(() => null);
  if (session.now) return; // somebody was faster, and has opened a file
  if (!song) return listEarlier(earlier, goOn);
  show(song, { ...UNTOUCHED });
  session.keep();
  render();
  offerEarlier(earlier.find(({ title }) => title === song.name), goOn);
}

// The controls

by("open").onclick = by("open-first").onclick = () => by("file").click();
by("file").onchange = event => { if (event.target.files[0]) openFile(event.target.files[0]); event.target.value = ""; };
by("demo").onclick = () => opened(api.demo);
by("undo").onclick = () => step(-1);
by("redo").onclick = () => step(1);
by("adopt").onclick = () => edit() && adopt(edit());
by("voice").onchange = event => reopen({ voice: event.target.value });
by("clear").onclick = () => choose(null);
by("view-roll").onclick = () => { view.score = false; render(); };
by("view-score").onclick = () => { view.score = true; render(); };
by("side-before").onclick = () => side("before");
by("side-after").onclick = () => side("after");
by("play").onclick = playOrPause;
by("loop").onclick = () => { view.loop = !view.loop; press(by("loop"), view.loop); render(); };
by("volume").oninput = event => player.volume(Number(event.target.value) / 100);
by("zoom-in").onclick = () => roll.zoom(1.5);
by("zoom-out").onclick = () => roll.zoom(1 / 1.5);
by("zoom-fit").onclick = () => roll.fit();
by("roll").addEventListener("scroll", tick);
by("problem-close").onclick = settle;
by("help-open").onclick = () => by("help").showModal();
by("bars").onchange = event => {
  try {
    choose(chosen(event.target.value, session.now.song.measures));
    settle();
  } catch (error) {
    complain({ what: error.message });
  }
};
by("bars").onkeydown = event => { if (event.key === "Enter") by("roll").focus(); }; // which also makes the field change
prepareSaving(thing);
prepareKeys({
  play: playOrPause, toStart: () => player.seek(0), side: () => edit() && side(view.side === "after" ? "before" : "after"),
  undo: () => step(-1), redo: () => step(1), escape,
  view: () => { view.score = !view.score; render(); },
});
document.addEventListener("dragover", event => {
  if (!event.dataTransfer.types.includes("Files")) return;
  event.preventDefault();
  document.body.classList.add("dropping");
});
document.addEventListener("dragleave", event => { if (!event.relatedTarget) document.body.classList.remove("dropping"); });
document.addEventListener("drop", event => {
  document.body.classList.remove("dropping");
  const [file] = event.dataTransfer.files;
  if (!file) return;
  event.preventDefault();
  openFile(file);
});
const ready = api.state().then(state => {
  panel = new Panel(state, { change });
  ({ instance } = state);
  return state;
});
ready.then(recall).catch(complain);
window.studio = { player, roll, session, keeping }; // for a look from the browser's console
