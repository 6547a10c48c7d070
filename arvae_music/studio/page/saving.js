// Saving: a download in each format, which can also be dragged out of the page.

import * as api from "./api.js";
import { by, complain, el, say, settle } from "./dom.js";

const FORMATS = [
  ["mid", "MIDI", "audio/midi", "the whole song"], ["musicxml", "MusicXML", "application/vnd.recordare.musicxml+xml", "for notation programs"],
  ["abc", "ABC", "text/vnd.abc", "as text"], ["wav", "WAV", "audio/wav", "as sound"],
];

/** current() -> the edit or song that is saved, or null */
export function prepareSaving(current) {
  by("save").onclick = () => {
    const thing = current();
    if (!thing) return;
    by("save-name").textContent = thing.file;
    by("formats").replaceChildren(...FORMATS.map(format => button(format, thing)));
    by("save-box").showModal();
  };
}

function button([format, label, type, purpose], thing) {
  const name = `${thing.file}.${format}`;
  const made = el("button", { class: "format", draggable: "true", "data-format": format },
    el("strong", {}, label), el("span", { class: "soft" }, purpose));
  made.ondragstart = event => event.dataTransfer.setData("DownloadURL", `${type}:${name}:${api.address(thing, format)}`);
  made.onclick = async () => {
    made.disabled = true;
    try {
      const { blob, name } = await api.file(thing, format);
      const link = el("a", { href: URL.createObjectURL(blob), download: name });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60000);
      settle();
      say(`Saved ${name}.`);
    } catch (problem) {
      by("save-box").close();
      complain(problem);
    } finally {
      made.disabled = false;
    }
  };
  return made;
}
