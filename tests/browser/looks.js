// What is wrong with how the page looks and speaks, as lists of words; `test_studio_looks.py` expects them to be empty.
() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = colour => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const linear = part => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  const luminance = colour => {
    const [r, g, b] = rgba(colour).slice(0, 3).map(part => linear(part / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const background = element => {
    for (let up = element; up; up = up.parentElement) {
      const colour = getComputedStyle(up).backgroundColor;
      if (rgba(colour)[3] === 255) return colour;
    }
    return "white";
  };
  const hasText = element => [...element.childNodes].some(node => node.nodeType === Node.TEXT_NODE && node.data.trim())
    || (element.matches("input") && (element.value || element.placeholder));
  const seen = [...document.querySelectorAll("body *")].filter(element => element.checkVisibility()
    && !element.closest(".visually-hidden, #drop, svg"));

  // Texts with less contrast (WCAG 2.2) than AA demands. Disabled controls are exempt there.
  const faint = seen.filter(element => hasText(element) && !element.closest(":disabled")).map(element => {
    const pair = [getComputedStyle(element).color, background(element)].map(luminance).sort((a, b) => b - a);
    return { element, ratio: (pair[0] + 0.05) / (pair[1] + 0.05) };
  }).filter(({ ratio }) => ratio < 4.5)
    .map(({ element, ratio }) => `${element.tagName} ${element.id || element.className} ${ratio.toFixed(2)}`);

  // Elements beyond the right edge, where nothing scrolls them into sight.
  const cut = seen.filter(element => !element.closest("#cards, #roll, #report")
    && element.getBoundingClientRect().right > innerWidth + 1).map(element => element.id || element.className);

  // Controls that a screen reader could not name.
  const named = element => element.getAttribute("aria-label") || element.getAttribute("aria-labelledby")
    || element.labels?.[0]?.textContent.trim() || (element.matches("button") && element.textContent.trim());
  const nameless = seen.filter(element => element.matches("button, input, select, [role=group], dialog, [tabindex]"))
    .filter(element => !named(element)).map(element => element.outerHTML.slice(0, 90));

  const wider = document.documentElement.scrollWidth > innerWidth;
  return { faint, cut, nameless, wider };
}
