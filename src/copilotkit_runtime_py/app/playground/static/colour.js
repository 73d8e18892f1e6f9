// JSON for people: over several lines, and in colours.

const HIGHLIGHT_LIMIT = 200_000; // characters; beyond it colours cost more than they tell

const TOKENS = /("(?:\\.|[^"\\\n])*"(?!\s*:))|("(?:\\.|[^"\\\n])*"(?=\s*:))|(-?\b\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\b|\b(?:true|false|null)\b)/g;
const CLASSES = ["s", "k", "n"];

export function colour(target, text) {
  if (text.length > HIGHLIGHT_LIMIT) {
    target.textContent = text;
    return;
  }
  const pieces = document.createDocumentFragment();
  let end = 0;
  for (const match of text.matchAll(TOKENS)) {
    pieces.append(text.slice(end, match.index));
    const span = document.createElement("span");
    span.className = CLASSES[match.slice(1).findIndex((group) => group !== undefined)];
    span.textContent = match[0];
    pieces.append(span);
    end = match.index + match[0].length;
  }
  pieces.append(text.slice(end));
  target.replaceChildren(pieces);
}

const inline = (value) => JSON.stringify(value, null, 1).replace(/\n */g, " ");

/** JSON over several lines, with a list of plain values (a message's chunks) on one. */
export function pretty(value, indent = "") {
  const container = value !== null && typeof value === "object";
  const plain = Array.isArray(value) && value.every((each) => each === null || typeof each !== "object");
  if (!container || plain || !Object.keys(value).length) return inline(value);
  const deeper = indent + "  ";
  const lines = Object.entries(value).map(([key, each]) =>
    deeper + (Array.isArray(value) ? "" : `${JSON.stringify(key)}: `) + pretty(each, deeper));
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  return `${open}\n${lines.join(",\n")}\n${indent}${close}`;
}
