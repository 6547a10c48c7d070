// What outlasts a reload, a closed tab and the end of the studio: the server keeps it as a session, one for each tab.

import * as api from "./api.js";
import { by, complain, el, plural } from "./dom.js";

const PLACE = "arvae-session"; // where the tab remembers its session over a reload
const PAUSE = 300; // ms after the last step
const WAIT = 10000; // ms for a session that another tab may show, or this one until it was loaded again

/** Take a session for this tab alone, until it is closed. False if another tab has it. */
const take = id => new Promise(done => {
  navigator.locks.request(`arvae ${id}`, { signal: AbortSignal.timeout(WAIT) }, () => {
    done(true);
    return new Promise(() => {});
  }).catch(() => done(false));
});

export class Keeping {
  #id = null; #begun = null; #timer = 0; #sent = ""; #sending = Promise.resolve(); #document;

  /** document() -> {title, songs, edits, page} for the server, or null while there is nothing to keep */
  constructor(document) {
    this.#document = document;
    addEventListener("pagehide", () => this.#send({ keepalive: true }));
  }

  /** The session that this tab showed before it was loaded again, or null. */
  async last() {
    let id = null;
    try { id = sessionStorage.getItem(PLACE); } catch { /* a browser without storage begins anew */ }
    return id && api.session(id).then(found => ({ id, ...found })).catch(() => null);
  }

  /** Go on with a session, or a new one. If another tab shows it, this tab goes on with a copy. */
  begin(id = null) { this.#begun = this.#begin(id); }

  async #begin(id) {
    this.#id = null; // nothing is sent until it is clear whose session it is
    if (id && await take(id)) {
      try { sessionStorage.setItem(PLACE, id); } catch { /* as above */ }
    } else {
      id = crypto.randomUUID();
      await take(id);
    }
    this.#id = id;
    this.#sent = "";
    this.soon();
  }

  /** Keep what the page shows, soon. */
  soon() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.now(), PAUSE);
  }

  /** The same at once, and after what is being sent, so that the latest is kept. */
  async now() {
    await this.#begun;
    await (this.#sending = this.#sending.then(() => this.#send()));
  }

  async #send(options = {}) {
    clearTimeout(this.#timer);
    const id = this.#id, document = id && this.#document(), text = JSON.stringify(document);
    if (!document || text === this.#sent) return;
    this.#sent = text;
    try {
      if (options.keepalive) sessionStorage.setItem(PLACE, id); // nothing runs here afterwards
      await api.keep(id, text, options);
      sessionStorage.setItem(PLACE, id);
    } catch (problem) {
      this.#sent = "";
      if (problem.status) complain(problem); // if the studio is gone, the next click says so
    }
  }

  /** Earlier sessions that hold some work, but not this tab's. */
  async earlier() {
    const { sessions } = await api.sessions();
    return sessions.filter(({ id, steps, variations }) => id !== this.#id && (steps > 1 || variations));
  }
}

const when = saved => new Date(1000 * saved).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
const about = ({ steps, variations, saved }) =>
  [when(saved), plural(steps - 1, "step"), variations && plural(variations, "variation")].filter(Boolean).join(" · ");

/** List earlier sessions on the empty page. */
export function listEarlier(sessions, goOn) {
  by("earlier").hidden = !sessions.length;
  by("earlier-list").replaceChildren(...sessions.map(session => {
    const item = el("li", {},
      el("button", { class: "quiet", onclick: () => goOn(session) }, el("strong", {}, session.title), el("span", { class: "soft" }, about(session))),
      el("button", { class: "icon", "aria-label": `Forget ${session.title}, ${when(session.saved)}`, title: "Forget", onclick: () => {
        api.forget(session.id).then(() => item.remove()).catch(complain);
      } }, "×"));
    return item;
  }));
}

/** Offer the latest session of the file that the command opened. */
export function offerEarlier(session, goOn) {
  by("offer").hidden = !session;
  if (!session) return;
  by("offer-words").textContent = `You edited ${session.title} before: ${about(session)}.`;
  by("offer-go").onclick = () => { by("offer").hidden = true; goOn(session); };
  by("offer-close").onclick = () => { by("offer").hidden = true; };
}
