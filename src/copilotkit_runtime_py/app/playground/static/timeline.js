// What went over the wire, frame by frame.

import { colour, pretty } from "./colour.js";
import { $, copy, el, framed } from "./dom.js";

const KEPT = 3000; // frames
const BRIEF = 160; // characters

const KINDS = {
  messages: /^(TEXT_|MESSAGES_|REASONING_|ACTIVITY_|messages)/,
  tools: /^TOOL_|arguments/,
  state: /^STATE_/,
  runs: /^(RUN_|STEP_|CUSTOM|RAW|data|response|metaEvents|errors|hasNext)/,
  requests: /^(GET|POST|PATCH|DELETE|HTTP) /,
};

export class Timeline {
  constructor() {
    this.frames = [];
    this.total = 0;
    this.waiting = [];
    this.start = null;
    this.paint = framed(() => this.#paint());
    $("timeline-filter").addEventListener("input", () => this.#filter());
    $("timeline-kind").addEventListener("change", () => this.#filter());
    $("timeline-clear").addEventListener("click", () => this.clear());
    $("timeline-copy").addEventListener("click", () => this.#copyAll());
  }

  /** Adds a frame: the contract, what it is called, its JSON, and the id of a server-sent event. */
  add({ contract, type, data, id = null, sent = false }) {
    this.start ??= performance.now();
    const frame = { contract, type, data, id, sent, at: performance.now() - this.start };
    this.total += 1;
    this.frames.push(frame);
    if (this.frames.length > KEPT) this.frames.shift();
    this.waiting.push(frame);
    this.paint();
  }

  clear() {
    Object.assign(this, { frames: [], waiting: [], total: 0, start: null });
    $("timeline").replaceChildren();
    this.paint();
  }

  #paint() {
    const list = $("timeline");
    const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 60;
    const fresh = this.waiting.splice(0).filter((frame) => this.#matches(frame));
    list.append(...fresh.map(row));
    while (list.children.length > KEPT) list.firstChild.remove();
    if (atEnd && fresh.length) list.scrollTop = list.scrollHeight;
    $("timeline-count").textContent = this.total ? String(this.total) : "";
    $("timeline-empty").hidden = list.children.length > 0;
    $("timeline-empty").textContent = this.total ? "No frame matches the filter." : "What goes over the wire shows up here.";
  }

  #matches(frame) {
    const kind = $("timeline-kind").value;
    if (kind === "agui" || kind === "graphql") {
      if (frame.contract !== (kind === "agui" ? "AG-UI" : "GraphQL")) return false;
    } else if (kind !== "all" && !KINDS[kind].test(frame.type)) return false;
    const word = $("timeline-filter").value.trim().toLowerCase();
    return !word || `${frame.type} ${json(frame)}`.toLowerCase().includes(word);
  }

  #filter() {
    $("timeline").replaceChildren();
    this.waiting = [...this.frames];
    this.paint();
  }

  async #copyAll() {
    const shown = this.frames.filter((frame) => this.#matches(frame));
    await copy(shown.map((frame) => `${frame.sent ? `${frame.type} ` : ""}${json(frame)}`).join("\n"));
    $("timeline-copied").textContent = `${shown.length} frames copied.`;
    setTimeout(() => { $("timeline-copied").textContent = ""; }, 2000);
  }
}

// A request's body changes while its run goes on, so its text is made at once; a frame's text when it is shown.
const json = (frame) => (frame.text ??= frame.data === undefined ? "" : JSON.stringify(frame.data));

/** What a frame says besides its type, the part that grows first. */
function brief({ data }) {
  const { type, delta, ...rest } = data ?? {};
  if (typeof delta === "string") return JSON.stringify(delta);
  return JSON.stringify(delta ?? rest).replace(/^\{|\}$/g, "");
}

function row(frame) {
  const details = el("details", { class: frame.sent ? "sent" : "" },
    el("summary", {},
      el("time", {}, `${(frame.at / 1000).toFixed(2)}`),
      el("span", { class: `contract ${frame.contract === "AG-UI" ? "agui" : "graphql"}`, title: frame.contract }, frame.contract),
      el("span", { class: "type" }, frame.type),
      el("span", { class: "brief" }, frame.sent ? "" : brief(frame).slice(0, BRIEF))));
  details.addEventListener("toggle", () => {
    if (!details.open || details.children.length > 1) return;
    const body = el("pre", { tabindex: 0 });
    const value = json(frame) ? JSON.parse(json(frame)) : null;
    colour(body, json(frame) ? pretty(value) : "no body");
    details.append(el("div", { class: "frame" },
      el("p", {}, frame.id ? `id ${frame.id}` : "", " ",
        json(frame) ? el("button", { type: "button", onclick: () => copy(json(frame)) }, "Copy JSON") : null), body));
  });
  return el("li", {}, details);
}

/** Remembers a request as it is sent. */
export const sentFrame = (contract, type, body) => ({
  contract, type, sent: true, data: body === undefined ? undefined : JSON.parse(JSON.stringify(body)),
});
