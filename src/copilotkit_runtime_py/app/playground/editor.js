// Colours, the text editors and the tabs.

const $ = (id) => document.getElementById(id);
const HIGHLIGHT_LIMIT = 200_000; // characters; beyond it colours cost more than they tell

const GRAPHQL = /(#.*)|("""[\s\S]*?"""|"(?:\\.|[^"\\\n])*"?)|(\b(?:query|mutation|subscription|fragment|on|true|false|null)\b|[@$][A-Za-z_]\w*)|(-?\b\d+(?:\.\d+)?\b)/g;
const JSON_TOKENS = /(\u0000)|("(?:\\.|[^"\\\n])*"(?!\s*:))|("(?:\\.|[^"\\\n])*"(?=\s*:))|(-?\b\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\b|\b(?:true|false|null)\b)/g;
const CLASSES = ["c", "s", "k", "n"];

function colour(target, text, tokens) {
  if (text.length > HIGHLIGHT_LIMIT) {
    target.textContent = text;
    return;
  }
  const pieces = document.createDocumentFragment();
  let end = 0;
  for (const match of text.matchAll(tokens)) {
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
function pretty(value, indent = "") {
  const container = value !== null && typeof value === "object";
  const plain = Array.isArray(value) && value.every((each) => each === null || typeof each !== "object");
  if (!container || plain || !Object.keys(value).length) return inline(value);
  const deeper = indent + "  ";
  const lines = Object.entries(value).map(([key, each]) =>
    deeper + (Array.isArray(value) ? "" : `${JSON.stringify(key)}: `) + pretty(each, deeper));
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  return `${open}\n${lines.join(",\n")}\n${indent}${close}`;
}

function editor(id, tokens) {
  const area = $(id);
  const backdrop = area.previousElementSibling;
  let tabLeaves = false;
  const paint = () => {
    colour(backdrop, area.value + "\n", tokens);
    follow();
  };
  const follow = () => {
    backdrop.scrollTop = area.scrollTop;
    backdrop.scrollLeft = area.scrollLeft;
  };
  area.addEventListener("input", paint);
  area.addEventListener("input", remember);
  area.addEventListener("scroll", follow);
  area.addEventListener("focus", () => { tabLeaves = false; });
  area.addEventListener("keydown", (event) => {
    const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
    if (event.key === "Escape") {
      tabLeaves = true;
    } else if (event.key === "Tab" && plain && !event.shiftKey && !tabLeaves) {
      event.preventDefault();
      insert(area, "  ");
    } else if (event.key === "Tab" && plain && event.shiftKey && !tabLeaves && outdent(area)) {
      event.preventDefault();
    } else if (event.key === "Enter" && plain && !event.shiftKey) {
      event.preventDefault();
      newline(area);
    } else if (event.key !== "Shift" && event.key !== "Tab") {
      tabLeaves = false;
    }
  });
  return {
    area,
    get value() { return area.value; },
    set value(text) {
      area.value = text;
      area.setSelectionRange(0, 0);
      paint();
    },
  };
}

function insert(area, text) {
  // execCommand is the one way that keeps the browser's undo history.
  if (!document.execCommand("insertText", false, text)) {
    area.setRangeText(text, area.selectionStart, area.selectionEnd, "end");
    area.dispatchEvent(new Event("input"));
  }
}

function lineBefore(area) {
  const start = area.value.lastIndexOf("\n", area.selectionStart - 1) + 1;
  return area.value.slice(start, area.selectionStart);
}

function newline(area) {
  const before = lineBefore(area);
  const indent = before.match(/^[ \t]*/)[0];
  const opens = /[{([]\s*$/.test(before);
  const closes = /^[})\]]/.test(area.value.slice(area.selectionEnd));
  insert(area, "\n" + indent + (opens ? "  " : ""));
  if (opens && closes) {
    const caret = area.selectionStart;
    insert(area, "\n" + indent);
    area.setSelectionRange(caret, caret);
  }
}

function outdent(area) {
  const before = lineBefore(area);
  const spaces = Math.min(2, before.match(/^ */)[0].length);
  if (!spaces || area.selectionStart !== area.selectionEnd) return false;
  const caret = area.selectionStart;
  const start = caret - before.length;
  area.setSelectionRange(start, start + spaces);
  document.execCommand("delete");
  area.setSelectionRange(caret - spaces, caret - spaces);
  return true;
}

function select(tab) {
  for (const other of tab.parentElement.querySelectorAll("[role=tab]")) {
    const chosen = other === tab;
    other.setAttribute("aria-selected", String(chosen));
    other.tabIndex = chosen ? 0 : -1;
    $(other.getAttribute("aria-controls")).hidden = !chosen;
  }
}

for (const list of document.querySelectorAll("[role=tablist]")) {
  const tabs = [...list.querySelectorAll("[role=tab]")];
  list.addEventListener("click", (event) => {
    const tab = event.target.closest("[role=tab]");
    if (tab) select(tab);
  });
  list.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = tabs[(tabs.indexOf(document.activeElement) + step + tabs.length) % tabs.length];
    select(next);
    next.focus();
  });
}
