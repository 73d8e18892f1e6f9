// What goes over the wire: requests with their outcome, and events by run.

import { $, copy, framed } from "./dom.js";
import { eventRow, json, requestRow, RunGroup } from "./frame_rows.js";

const STORED = 3000; // events
const DROPPED = 500; // oldest events that make room at once

const KINDS = {
  errors: /^(RUN_ERROR|errors|NOT APPLIED)/,
  messages: /^(TEXT_|MESSAGES_|messages)/,
  thoughts: /^(REASONING_|ACTIVITY_)/,
  tools: /^TOOL_|arguments/,
  state: /^STATE_/,
  custom: /^(CUSTOM|RAW)/,
  runs: /./,
};
const LAST = { RUN_FINISHED: "finished", RUN_ERROR: "failed" };

export class Timeline {
  constructor() {
    this.frames = [];
    this.waiting = [];
    this.start = null;
    this.run = null; // the run that is in progress
    this.asked = ""; // what the newest request for a run says
    this.groups = new Map(); // what is shown of each run
    this.paint = framed(() => this.#paint());
    $("timeline-filter").addEventListener("input", () => this.#filter());
    $("timeline-kind").addEventListener("change", () => this.#filter());
    $("timeline-clear").addEventListener("click", () => this.clear());
    $("timeline-copy").addEventListener("click", () => this.#copyAll());
  }

  /** Adds an event: its contract, its type, its JSON, and the id of a server-sent event. */
  add({ contract, type, data, id = null }) {
    const kind = Object.keys(KINDS).find((each) => KINDS[each].test(type));
    const frame = { contract, type, data, id, kind, at: this.#now() };
    const begins = contract === "AG-UI" ? type === "RUN_STARTED" : type === "data";
    if (begins) this.run = runOf(frame, this.asked);
    frame.run = this.run;
    if (this.run) this.#count(frame);
    this.#store(frame);
  }

  /** Adds a request; returns a function for its outcome: a status or a word, milliseconds, and whether it failed. */
  request(contract, type, body) {
    const text = body === undefined ? "" : JSON.stringify(body);
    this.asked = words(body?.variables?.data ?? body?.body ?? body) ?? this.asked;
    const frame = { contract, type, text, data: body, sent: true, kind: "requests", at: this.#now(), failed: false };
    this.#store(frame);
    return (result, milliseconds, failed) => {
      frame.outcome = `${result} · ${Math.round(milliseconds)} ms`;
      frame.failed = failed;
      frame.settle?.();
    };
  }

  clear() {
    Object.assign(this, { frames: [], start: null, run: null });
    this.#filter();
  }

  #now() {
    this.start ??= performance.now();
    return performance.now() - this.start;
  }

  #count({ contract, type, data, at }) {
    this.run.count += 1;
    const last = contract === "AG-UI" ? type in LAST : data?.hasNext !== true;
    if (!last) return;
    const waits = data.outcome?.interrupts?.length;
    this.run.end = { at, state: waits ? "waiting" : LAST[type] ?? (data.errors ? "failed" : "finished") };
    this.run = null;
  }

  #store(frame) {
    this.frames.push(frame);
    this.waiting.push(frame);
    if (this.frames.length > STORED) {
      this.frames.splice(0, DROPPED);
      this.#filter();
    }
    this.paint();
  }

  #paint() {
    const list = $("timeline");
    const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 60;
    const fresh = this.waiting.splice(0);
    for (const frame of fresh) if (this.#matches(frame)) this.#show(frame, list);
    for (const run of new Set(fresh.map((frame) => frame.run))) this.groups.get(run)?.paint();
    if (atEnd && fresh.length) list.scrollTop = list.scrollHeight;
    $("timeline-count").textContent = this.frames.length || "";
    $("timeline-empty").hidden = list.children.length > 0;
    $("timeline-empty").textContent = this.frames.length ? "No event matches the filter." : "Requests and events appear here.";
  }

  #show(frame, list) {
    if (!frame.run) {
      list.append(frame.sent ? requestRow(frame) : eventRow(frame));
      return;
    }
    if (!this.groups.has(frame.run)) {
      this.groups.set(frame.run, new RunGroup(frame.run));
      list.append(this.groups.get(frame.run).node);
    }
    this.groups.get(frame.run).add(frame);
  }

  #matches(frame) {
    const kind = $("timeline-kind").value;
    if (kind === "agui" || kind === "graphql") {
      if (frame.contract !== (kind === "agui" ? "AG-UI" : "GraphQL")) return false;
    } else if (kind !== "all" && frame.kind !== kind && !(kind === "errors" && frame.failed)) return false;
    const word = $("timeline-filter").value.trim().toLowerCase();
    return !word || `${frame.type} ${json(frame)}`.toLowerCase().includes(word);
  }

  #filter() {
    $("timeline").replaceChildren();
    this.groups.clear();
    this.waiting = [...this.frames];
    this.paint();
  }

  async #copyAll() {
    const shown = this.frames.filter((frame) => this.#matches(frame));
    await copy(shown.map((frame) => `${frame.sent ? `${frame.type} ` : ""}${json(frame)}`).join("\n"));
    $("timeline-copied").textContent = `${shown.length} ${shown.length === 1 ? "event" : "events"} copied.`;
    setTimeout(() => { $("timeline-copied").textContent = ""; }, 2000);
  }
}

/** A run that begins with an event. One of the past has ids of its own form, and no duration. */
function runOf({ contract, data, id, at }, asked) {
  return { contract, at, past: Boolean(id?.includes("/")), words: words(data.input) ?? asked, count: 0, end: null };
}

/** The newest words of the user in a request of either contract. */
function words(input) {
  for (const message of [...(input?.messages ?? [])].reverse()) {
    const { role, content } = message?.textMessage ?? message ?? {};
    if (role === "user" && typeof content === "string") return content;
  }
  return null;
}
