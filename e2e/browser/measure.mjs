// What can be measured on a page. These functions run inside the browser.

// lowContrast lists the texts that are hard to read: under 4.5:1, or 3:1 if large (WCAG 2.2, 1.4.3).
export function lowContrast() {
  const channels = (color) => color.match(/[\d.]+/g).map(Number);
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const ground = (e) => {
    for (let at = e; at; at = at.parentElement) {
      const c = channels(getComputedStyle(at).backgroundColor);
      if (c.length < 4 || c[3] > 0) return c;
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const e of document.body.querySelectorAll("*")) {
    const text = [...e.childNodes].filter((n) => n.nodeType === Node.TEXT_NODE).map((n) => n.textContent.trim()).join("");
    if (text === "" || e.closest("noscript, .skip") || e.getClientRects().length === 0) continue;
    const style = getComputedStyle(e);
    const [a, b] = [light(channels(style.color)), light(ground(e))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) found.push(`${text.slice(0, 40)}: ${ratio.toFixed(2)}`);
  }
  return found;
}

// sideways lists what is wider than the window, and cells whose text does not fit in them.
export function sideways() {
  const width = document.documentElement.clientWidth;
  const found = [...document.body.querySelectorAll("*")]
    .filter((e) => e.getClientRects().length > 0 && !e.closest(".unseen, thead, .u-over, .skip"))
    .filter((e) => e.getBoundingClientRect().right > width + 0.5 || e.getBoundingClientRect().left < -0.5)
    .map((e) => `${e.tagName} ${e.className} ${e.textContent.slice(0, 30)}`);
  for (const e of document.body.querySelectorAll("tbody th, tbody td")) {
    if (e.scrollWidth > e.clientWidth + 1) found.push(`${e.dataset.title ?? ""} ${e.textContent.slice(0, 30)}: ${e.scrollWidth} wide in a cell of ${e.clientWidth}`);
  }
  if (document.documentElement.scrollWidth > width) found.push(`the page is ${document.documentElement.scrollWidth} wide, not ${width}`);
  return found;
}

// unlabelled lists controls without a name, headings out of order, tables without
// a caption or with a column without a title.
export function unlabelled() {
  const found = [];
  for (const e of document.querySelectorAll("button, input, select, a, summary")) {
    const label = e.labels?.[0]?.textContent ?? "";
    if (`${e.textContent}${label}${e.getAttribute("aria-label") ?? ""}`.trim() === "") found.push(`${e.outerHTML.slice(0, 60)} has no name`);
  }
  let level = 0;
  for (const h of document.querySelectorAll("h1, h2, h3, h4")) {
    const next = Number(h.tagName[1]);
    if (next > level + 1) found.push(`h${level} is followed by h${next}: ${h.textContent}`);
    level = next;
  }
  for (const t of document.querySelectorAll("table")) {
    if (!t.caption?.textContent) found.push("a table has no caption");
    const titles = [...t.tHead.rows[0].cells].filter((c) => c.textContent.trim() === "" || c.scope !== "col");
    if (titles.length > 0) found.push(`${t.caption?.textContent}: a column has no title`);
  }
  return found;
}

// ringed reports whether what has the focus shows it.
export function ringed() {
  const style = getComputedStyle(document.activeElement);
  return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
}

// painted is how many pixels of the first chart are not empty.
export function painted() {
  const canvas = document.querySelector("canvas");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let n = 0;
  for (let i = 3; i < data.length; i += 4) if (data[i] > 0) n++;
  return n;
}
