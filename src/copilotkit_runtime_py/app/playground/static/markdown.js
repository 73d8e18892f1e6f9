// Markdown as elements. Marked parses it, highlight.js colours its code, and DOMPurify sanitises the result.
// HTML in the text is shown as text, and a picture of another host as a link: the page loads nothing for an agent.

import { el } from "./dom.js";
import { libraries } from "./libraries.js";

const HIGHLIGHT_LIMIT = 20_000; // characters; colours for more would delay each frame
const ADDRESS = /^(?:https?|mailto):/i;
const ALLOWED = {
  ALLOWED_TAGS: [
    "a", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "img", "input", "li", "ol",
    "p", "pre", "span", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
  ],
  ALLOWED_ATTR: ["align", "alt", "checked", "class", "disabled", "href", "src", "start", "title", "type"],
  ALLOWED_URI_REGEXP: ADDRESS,
  ADD_URI_SAFE_ATTR: ["align", "start", "type"],
  ALLOW_ARIA_ATTR: false,
  ALLOW_DATA_ATTR: false,
  RETURN_DOM_FRAGMENT: true,
};

const escaped = (text) => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

const parser = libraries && new libraries.Marked({ gfm: true, breaks: true });
parser?.use({
  renderer: {
    html: ({ text, block }) => (/^<br ?\/?>$/i.test(text) ? "<br>" : block ? `<p>${escaped(text)}</p>` : escaped(text)),
    code: ({ text, lang }) => `<pre><code>${coloured(text, /^\S*/.exec(lang ?? "")[0])}</code></pre>`,
    link({ href, tokens }) {
      return ADDRESS.test(href) ? false : this.parser.parseInline(tokens);
    },
    image({ href, title, text }) {
      if (/^data:image\//i.test(href)) return false;
      if (!ADDRESS.test(href)) return escaped(text);
      return `<a href="${escaped(href)}"${title ? ` title="${escaped(title)}"` : ""}>${escaped(text || href)}</a>`;
    },
  },
});
libraries?.sanitizer.addHook("afterSanitizeAttributes", (node) => {
  if (node.tagName !== "A") return;
  node.setAttribute("target", "_blank");
  node.setAttribute("rel", "noopener noreferrer");
});

function coloured(code, language) {
  if (code.length > HIGHLIGHT_LIMIT || !libraries.highlighter.getLanguage(language)) return escaped(code);
  return libraries.highlighter.highlight(code, { language, ignoreIllegals: true }).value;
}

/** Text of an agent. While it grows, the blocks that are complete keep their nodes. */
export class Prose {
  constructor() {
    this.node = el("div", { class: "prose" });
    this.blocks = []; // {raw, nodes}
  }

  update(text, open) {
    this.node.classList.toggle("open", open);
    if (!parser) {
      this.node.classList.add("plain");
      this.node.textContent = text;
      return;
    }
    const tokens = parser.lexer(text).filter((token) => token.type !== "space");
    let same = 0;
    while (same < tokens.length && tokens[same].raw === this.blocks[same]?.raw) same++;
    for (const { nodes } of this.blocks.splice(same)) nodes.forEach((node) => node.remove());
    for (const token of tokens.slice(same)) {
      const nodes = [...libraries.sanitizer.sanitize(parser.parser([token]), ALLOWED).childNodes];
      this.node.append(...nodes);
      this.blocks.push({ raw: token.raw, nodes });
    }
  }
}
