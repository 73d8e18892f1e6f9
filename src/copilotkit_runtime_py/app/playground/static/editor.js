// The text editors: a text area over its own coloured text.

import { colour } from "./colour.js";
import { $ } from "./dom.js";

/** Makes a text area an editor with colours and indentation; `changed` is called when a person has written. */
export function editor(id, tokens, changed) {
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
  area.addEventListener("input", changed);
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
