// Run in a page by hindrances(): a sentence for each thing that somebody without mouse or eyes would stumble on.
const found = [];
const all = (selector) => [...document.querySelectorAll(selector)];
const shown = (element) => {
  const copy = element.cloneNode(false).outerHTML;
  return copy.length > 120 ? copy.slice(0, 120) + "…" : copy;
};
const words = (element) => (element?.textContent ?? "").trim();
const labelled = (element) =>
  (element.getAttribute("aria-labelledby") ?? "").split(/\s+/)
    .map((id) => words(id && document.getElementById(id))).join("").trim();
const pictured = (element) =>
  [...element.querySelectorAll("img[alt], svg[aria-label], svg title")]
    .map((picture) => picture.alt ?? picture.getAttribute("aria-label") ?? words(picture)).join("").trim();
const named = (element) =>
  element.getAttribute("aria-label")?.trim() || labelled(element) || words(element) || pictured(element)
  || element.title?.trim();

const root = document.documentElement;
if (!/^[a-z]{2}(-|$)/.test(root.lang)) found.push(`the page's language is ${JSON.stringify(root.lang)}`);
if (!document.title.trim()) found.push("the page has no title");
const headings = all("h1").length;
if (headings !== 1) found.push(`there are ${headings} h1`);
if (all("main").length !== 1) found.push(`there are ${all("main").length} main`);
if (!document.querySelector('meta[name="viewport"][content*="width=device-width"]')) found.push("a phone would see it small: no viewport");

let level = 0;
for (const heading of all("h1, h2, h3, h4, h5, h6")) {
  const next = Number(heading.tagName[1]);
  if (next > level + 1) found.push(`${shown(heading)} comes after h${level}`);
  level = next;
}
for (const element of all("button, a[href], summary")) {
  if (!named(element)) found.push(`${shown(element)} has no name`);
}
for (const element of all("input:not([type=hidden]), select, textarea")) {
  const label = [...(element.labels ?? [])].map(words).join("").trim();
  if (!label && !element.getAttribute("aria-label")?.trim() && !labelled(element)) {
    found.push(`${shown(element)} has no label`);
  }
}
for (const element of all("th:not([scope])")) found.push(`${shown(element)} has no scope`);
for (const element of all("table")) {
  if (!element.querySelector("th")) found.push(`${shown(element)} has no headers`);
}
for (const element of all("img:not([alt]), svg:not([aria-hidden]):not([aria-label]):not([role])")) {
  found.push(`${shown(element)} says nothing to who cannot see it, and is not hidden from them`);
}
for (const element of all("[tabindex]")) {
  if (element.tabIndex > 0) found.push(`${shown(element)} is out of the order of Tab`);
}
const seen = new Set();
for (const { id } of all("[id]")) {
  if (seen.has(id)) found.push(`the id ${id} is there twice`);
  seen.add(id);
}
for (const element of all("a[href], button")) {
  const names = (name) => (element.getAttribute(name) ?? "").split(/\s+/).filter(Boolean);
  for (const id of [...names("aria-labelledby"), ...names("aria-describedby"), ...names("aria-controls")]) {
    if (!document.getElementById(id)) found.push(`${shown(element)} speaks of ${id}, which is not there`);
  }
}

// Contrast of text with what is behind it (WCAG 2.2, 1.4.3): 4.5, and 3 for large text.
const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
const channels = (colour) => {
  canvas.clearRect(0, 0, 1, 1);
  canvas.fillStyle = colour;
  canvas.fillRect(0, 0, 1, 1);
  const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
  return [r, g, b, a / 255];
};
const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3]));
const behind = (element) => {
  const layers = [];
  for (let at = element; at; at = at.parentElement) {
    const layer = channels(getComputedStyle(at).backgroundColor);
    layers.push(layer);
    if (layer[3] === 1) break;
  }
  const paper = channels(matchMedia("(prefers-color-scheme: dark)").matches ? "#121212" : "#fff");
  return layers.reverse().reduce((below, layer) => over(layer, below), paper);
};
const luminance = (colour) => {
  const [r, g, b] = colour.map((value) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const pale = new Set();
for (const element of all("body *")) {
  const own = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
  if (!own || !element.checkVisibility({ opacityProperty: true, visibilityProperty: true }) || element.matches(":disabled, :disabled *")) continue;
  const style = getComputedStyle(element);
  const ground = behind(element);
  const text = over(channels(style.color), ground);
  const [light, dark] = [luminance(text), luminance(ground)].sort((a, b) => b - a);
  const ratio = (light + 0.05) / (dark + 0.05);
  const size = parseFloat(style.fontSize);
  const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
  const kind = `${element.tagName}.${element.className}`;
  if (ratio < (large ? 3 : 4.5) && !pale.has(kind)) {
    pale.add(kind);
    found.push(`${shown(element)} is pale: contrast ${ratio.toFixed(2)}`);
  }
}
return found;
