// The keyboard: every control has a key, and the help lists them.

import { by, el } from "./dom.js";

const KEYS = [
  // [key, what the help says, name of the action or id of the button that it presses]
  [" ", "Space", "Play or pause", "play"],
  ["Home", "Home", "Back to the start", "toStart"],
  ["a", "A", "Before or after", "side"],
  ["l", "L", "Loop over the chosen measures", "#loop"],
  ["n", "N", "Next alternative", "#seed-next"],
  ["p", "P", "Previous alternative", "#seed-back"],
  ["k", "K", "Go on from the edit", "#adopt"],
  ["v", "V", "Find variations", "#vary"],
  ["r", "R", "Roll or score", "view"],
  ["o", "O", "Open a file", "#open"],
  ["s", "S", "Save", "#save"],
  ["Escape", "Esc", "Close a message; all measures", "escape"],
  ["?", "?", "This help", "#help-open"],
];
const MORE = [["Ctrl Z", "Undo"], ["Ctrl Shift Z", "Redo"], ["← →", "Move a slider, or to another measure of the roll"],
  ["Delete", "Put a slider back"], ["Enter, Shift ← →", "Choose measures of the roll"]];

const TEXT = "input:not([type=range]):not([type=checkbox]), select, textarea";

/** actions: {play(), toStart(), side(), undo(), redo(), escape(), view()} */
export function prepareKeys(actions) {
  by("shortcuts").replaceChildren(...KEYS.map(([, name, what]) => [name, what]).concat(MORE)
    .map(([name, what]) => el("tr", {}, el("th", { scope: "row" }, el("kbd", {}, name)), el("td", {}, what))));
  document.addEventListener("keydown", event => {
    if (document.querySelector("dialog[open]") || event.defaultPrevented) return;
    const letter = event.key.toLowerCase();
    if ((event.ctrlKey || event.metaKey) && (letter === "z" || letter === "y")) {
      if (event.target.matches(TEXT) && event.target.value) return; // the field's own undo
      event.preventDefault();
      return letter === "y" || event.shiftKey ? actions.redo() : actions.undo();
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches(TEXT)) return;
    const wanted = event.key.length === 1 ? letter : event.key;
    const [key, , , action] = KEYS.find(([key]) => key === wanted) ?? [];
    if (!action) return;
    if (/^[a-z]$/.test(key) && !by("keys-on").checked) return;
    if (key === " " && event.target.matches("button, summary, [type=checkbox]")) return; // it presses that control
    if (key === "Home" && event.target.matches("[type=range], #roll")) return;
    if (document.body.dataset.view === "empty" && !["#open", "#help-open"].includes(action)) return;
    event.preventDefault();
    if (action.startsWith("#")) by(action.slice(1)).click();
    else actions[action]();
  });
  // After a click with the mouse, the space bar plays again instead of pressing the same button.
  document.addEventListener("click", event => { if (event.detail) event.target.closest("button")?.blur(); });
}
