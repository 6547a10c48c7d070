// The engraved score. The server's SVG is shown as an image: in an image no script runs, whatever a file's title says.

import * as api from "./api.js";
import { by, complain, el } from "./dom.js";

export class Score {
  #thing = null; #page = 1; #pages = 1; #turn = 0;

  constructor() {
    by("page-back").onclick = () => this.#show(this.#page - 1);
    by("page-next").onclick = () => this.#show(this.#page + 1);
  }

  /** Show the score of a song or an edit; the page stays where it is, if the score has so many. */
  show(thing) {
    if (thing === this.#thing) return;
    this.#thing = thing;
    this.#show(this.#page);
  }

  async #show(page) {
    const turn = ++this.#turn;
    try {
      const { svg, pages } = await api.score(this.#thing, Math.max(1, page));
      if (turn !== this.#turn) return; // a newer request is on its way
      this.#page = Math.min(page, pages);
      this.#pages = pages;
      const image = el("img", { alt: `Page ${this.#page} of the score` });
      image.src = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }));
      image.onload = () => URL.revokeObjectURL(image.src);
      by("score-page").replaceChildren(image);
    } catch (problem) {
      if (turn !== this.#turn) return;
      if (page > 1) return this.#show(1); // the other version may be shorter
      by("score-page").replaceChildren();
      complain(problem);
    }
    by("page-number").textContent = this.#pages > 1 ? `${this.#page} of ${this.#pages}` : "";
    by("page-back").disabled = this.#page <= 1;
    by("page-next").disabled = this.#page >= this.#pages;
    by("page-back").parentElement.hidden = this.#pages < 2;
  }
}
