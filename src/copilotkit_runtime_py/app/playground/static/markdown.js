// As much Markdown as chats need: paragraphs, lists, headings, code, bold and emphasis.
// It makes elements and text nodes, never markup, so any text is safe; links stay text.

import { el } from "./dom.js";

const INLINE = /(`+)([^`]|[^`][\s\S]*?[^`])\1(?!`)|\*\*(?=\S)([\s\S]*?\S)\*\*|(?<![\w*])\*(?=[^\s*])([^*\n]*?[^\s*])\*(?![\w*])/g;
const ITEM = /^\s*(?:[-*+]|(\d{1,9})[.)])\s+(.*)$/;

export function markdown(text) {
  const made = document.createDocumentFragment();
  const lines = text.split("\n");
  let at = 0;
  while (at < lines.length) {
    const [block, next] = fence(lines, at) ?? heading(lines, at) ?? list(lines, at) ?? paragraph(lines, at);
    if (block) made.append(block);
    at = next;
  }
  return made;
}

function fence(lines, at) {
  const opening = /^\s*```/.test(lines[at]);
  if (!opening) return null;
  let end = at + 1;
  while (end < lines.length && !/^\s*```\s*$/.test(lines[end])) end++;
  return [el("pre", {}, el("code", {}, lines.slice(at + 1, end).join("\n"))), end + 1];
}

function heading(lines, at) {
  const match = /^#{1,6}\s+(.*)$/.exec(lines[at]);
  return match && [el("p", { class: "heading" }, inline(match[1])), at + 1];
}

function list(lines, at) {
  const first = ITEM.exec(lines[at]);
  if (!first) return null;
  const made = el(first[1] ? "ol" : "ul", first[1] ? { start: first[1] } : {});
  let end = at;
  for (let item; end < lines.length && (item = ITEM.exec(lines[end])); end++) made.append(el("li", {}, inline(item[2])));
  return [made, end];
}

function paragraph(lines, at) {
  let end = at;
  while (end < lines.length && lines[end].trim() && !(end > at && (ITEM.test(lines[end]) || /^(\s*```|#{1,6}\s)/.test(lines[end])))) end++;
  return end === at ? [null, at + 1] : [el("p", {}, inline(lines.slice(at, end).join("\n"))), end];
}

function inline(text) {
  const pieces = document.createDocumentFragment();
  let end = 0;
  for (const match of text.matchAll(INLINE)) {
    pieces.append(text.slice(end, match.index));
    const [, ticks, code, strong, emphasis] = match;
    pieces.append(ticks ? el("code", {}, code) : strong ? el("strong", {}, strong) : el("em", {}, emphasis));
    end = match.index + match[0].length;
  }
  pieces.append(text.slice(end));
  return pieces;
}
