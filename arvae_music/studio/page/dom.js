// Elements of the page. Every text goes in as text, never as markup: names of tracks and files are strangers' words.

export const by = id => document.getElementById(id);

/** el("button", {class: "chip", onclick: f, "aria-pressed": "true"}, "text", child, ...) */
export function el(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === "function") made[name] = value;
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter(child => child !== null && child !== undefined));
  return made;
}

export const press = (button, pressed) => button.setAttribute("aria-pressed", String(pressed));

/** "1:07" */
export const clock = seconds => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

/** At most two decimals, with a real minus sign. */
export const figure = value => String(Math.round(value * 100) / 100).replace("-", "−");

export const signed = value => (value > 0 ? "+" : "") + figure(value);

export const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

let spoken = 0;
/** Say a result to a screen reader, once the sliders have come to rest. */
export function say(text) {
  clearTimeout(spoken);
  spoken = setTimeout(() => { by("spoken").textContent = text; }, 500);
}

/** Show an error as sentences, until it is closed or something succeeds. */
export function complain(problem) {
  if (problem.name === "AbortError") return;
  by("problem-what").textContent = problem.what ?? String(problem.message ?? problem);
  by("problem-remedy").textContent = problem.remedy ?? "";
  by("problem").hidden = false;
}

export const settle = () => { by("problem").hidden = true; };
