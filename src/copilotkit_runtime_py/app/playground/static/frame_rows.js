// The rows of the list of events: one for each event, or one for all events of a message or a tool call.

import { colour, pretty } from "./colour.js";
import { copy, el } from "./dom.js";

const BRIEF = 160; // characters

/** A row for one event; its JSON is made when it is opened. */
export function eventRow(frame) {
  const details = el("details", {}, summary(frame, el("span", { class: "brief" }, frame.sent ? "" : brief(frame))));
  details.addEventListener("toggle", () => {
    if (!details.open || details.children.length > 1) return;
    const source = json(frame);
    const body = el("pre", { tabindex: 0 });
    colour(body, source ? pretty(JSON.parse(source)) : "no body");
    details.append(el("div", { class: "frame" },
      el("p", {}, frame.id ? `id ${frame.id}` : "", " ",
        source ? el("button", { type: "button", onclick: () => copy(source) }, "Copy JSON") : null), body));
  });
  return el("li", { class: "event", "data-kind": frame.kind }, details);
}

/** A row for a request, with what became of it. */
export function requestRow(frame) {
  const outcome = el("span", { class: "outcome" });
  const row = eventRow(frame);
  row.classList.add("request");
  row.querySelector("summary").append(outcome);
  frame.settle = () => {
    if (frame.failed) row.dataset.kind = "errors";
    outcome.textContent = frame.outcome ?? "…";
  };
  frame.settle();
  return row;
}

/** A row that takes in every event with the same key: alone as the event itself, with others as their sum. */
export class FoldedRow {
  constructor(frame) {
    this.frames = [frame];
    this.node = eventRow(frame);
  }

  add(frame) {
    this.frames.push(frame);
    if (this.frames.length === 2) this.#fold();
    else if (this.rows.firstChild) this.rows.append(eventRow(frame));
    this.count.textContent = `${this.frames.length} events`;
    if (this.text.textContent.length < BRIEF) this.text.textContent = sum(this.frames);
  }

  #fold() {
    const [first] = this.frames;
    this.count = el("span", { class: "count" });
    this.text = el("span", { class: "brief" });
    this.rows = el("ol", { class: "folded" });
    const type = this.frames[1].type.replace(/_(START|CONTENT|ARGS|END|CHUNK)$/, "");
    const head = summary({ ...first, type }, this.count, this.text);
    const details = el("details", {}, head, this.rows);
    details.addEventListener("toggle", () => {
      if (details.open && !this.rows.firstChild) this.rows.append(...this.frames.map(eventRow));
    });
    const folded = el("li", { class: "event", "data-kind": first.kind }, details);
    this.node.replaceWith(folded);
    this.node = folded;
  }
}

/** The group of the events of one run. */
export class RunGroup {
  constructor(run) {
    this.run = run;
    this.folds = new Map();
    this.rows = el("ol");
    this.state = el("span", { class: "outcome" });
    this.node = el("li", { class: "run" }, el("details", { open: true },
      el("summary", {},
        el("time", {}, seconds(run.at)),
        el("span", { class: "type" }, "Run"),
        el("span", { class: "brief", title: run.words }, run.words),
        el("span", { class: "contract" }, run.contract),
        this.state),
      this.rows));
    this.paint();
  }

  add(frame) {
    const key = foldKey(frame);
    const fold = key && this.folds.get(key);
    if (fold) return fold.add(frame);
    const row = new FoldedRow(frame);
    if (key) this.folds.set(key, row);
    this.rows.append(row.node);
  }

  paint() {
    const { end, at, past, count } = this.run;
    const took = end && !past ? `${seconds(end.at - at)} s · ` : "";
    this.state.textContent = end ? `${end.state} · ${took}${count}` : `running · ${count}`;
    this.node.classList.toggle("failed", end?.state === "failed");
  }
}

// A request's body changes while its run goes on, so its text is made at once; a frame's text when it is shown.
export const json = (frame) => (frame.text ??= frame.data === undefined ? "" : JSON.stringify(frame.data));

function summary(frame, ...rest) {
  return el("summary", {}, el("time", {}, seconds(frame.at)), el("span", { class: "type" }, frame.type), ...rest);
}

const seconds = (milliseconds) => (milliseconds / 1000).toFixed(2);

/** What belongs together: the parts of a message or of a tool call. */
function foldKey({ contract, type, data }) {
  if (contract === "AG-UI") {
    if (/^(TEXT|REASONING)_MESSAGE_/.test(type)) return `${type.slice(0, 4)} ${data.messageId}`;
    return /^TOOL_CALL_(START|ARGS|END|CHUNK)$/.test(type) ? `call ${data.toolCallId}` : null;
  }
  const paths = (data.incremental ?? []).map(({ path }) => path.slice(1, 3).join("."));
  return paths.length && data.hasNext && paths.every((path) => path === paths[0] && path.includes(".")) ? paths[0] : null;
}

/** The parts of a message, put together. */
function sum(frames) {
  const parts = frames.map(({ data }) => data.delta ?? data.toolCallName?.concat(" ")
    ?? (data.incremental ?? []).flatMap(({ items }) => items ?? []).filter((item) => typeof item === "string").join(""));
  return parts.join("").slice(0, BRIEF);
}

/** What an event says besides its type, the part that grows first. */
function brief({ data }) {
  const { type, delta, ...rest } = data ?? {};
  const said = typeof delta === "string" ? JSON.stringify(delta) : JSON.stringify(delta ?? rest).replace(/^\{|\}$/g, "");
  return said.slice(0, BRIEF);
}
