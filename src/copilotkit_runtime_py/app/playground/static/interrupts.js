// The questions that an agent asks before it goes on, and the form that answers each.

import { colour, pretty } from "./colour.js";
import { $, el } from "./dom.js";

const REASONS = { confirmation: "Confirmation", input_required: "Input needed", tool_call: "Approval of a tool call" };

let painted = [];

export function paintInterrupts(target, session) {
  const { interrupts } = session.conversation;
  const asked = session.busy ? [] : interrupts.filter((interrupt) => !interrupt.answer);
  if (asked.length === painted.length && asked.every((each, index) => each === painted[index])) return;
  painted = asked;
  const focused = document.activeElement;
  const box = $("composer-text");
  const free = target.contains(focused) || focused === document.body || (focused === box && !box.value);
  target.replaceChildren(...asked.map((interrupt) => question(interrupt, session)));
  if (free) (target.querySelector("input") ?? box).focus({ preventScroll: true });
}

function question(interrupt, session) {
  const field = el("input", { type: "text", "aria-label": "Your answer", placeholder: "Your answer, text or JSON", autocomplete: "off" });
  const asked = standard(interrupt);
  const [yes, no] = asked.responseSchema?.properties?.approved ? [{ approved: true }, { approved: false }] : ["yes", "no"];
  const send = (value) => session.answer(interrupt, value, asked.message ?? asked.value ?? "");
  const answer = (value) => () => send(value);
  const form = el("form", { class: "question" },
    el("p", { class: "asks" }, "The agent asks", reason(asked)),
    ...words(asked),
    el("div", { class: "answer" }, field, el("button", { type: "submit", class: "primary" }, "Answer")),
    el("div", { class: "quick" },
      el("button", { type: "button", onclick: answer(yes) }, "Yes"),
      el("button", { type: "button", onclick: answer(no) }, "No"),
      interrupt.outcome ? el("button", { type: "button", class: "ghost", onclick: answer(undefined) }, "Cancel") : null));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(value(field.value));
  });
  return form;
}

/** The AG-UI interrupt that a question is. The older forms have the one for an approval as JSON text. */
function standard(interrupt) {
  const value = typeof interrupt.value === "string" ? parsed(interrupt.value) : null;
  return value?.reason === "tool_call" ? value : interrupt;
}

/** The reason for the question in plain words. Names with a framework in them, such as `langgraph:interrupt`, have none. */
function reason({ reason: name }) {
  if (!name || name.includes(":")) return null;
  return el("span", { class: "badge" }, REASONS[name] ?? name.replaceAll("_", " "));
}

function words(interrupt) {
  const said = interrupt.message ?? interrupt.value ?? interrupt.metadata ?? "";
  const made = [];
  if (typeof said === "string") made.push(el("p", { class: "words" }, said));
  else made.push(json(said));
  if (interrupt.responseSchema) made.push(el("details", {}, el("summary", {}, "What the answer should look like"), json(interrupt.responseSchema)));
  return made;
}

function json(value) {
  const made = el("pre");
  colour(made, pretty(value));
  return made;
}

/** An answer that is a JSON object or list is sent as such, all else as the text that it is. */
function value(text) {
  return parsed(text) ?? text;
}

function parsed(text) {
  if (!/^\s*[{[]/.test(text)) return null;
  try {
    return JSON.parse(text);
  } catch {
    return null; // it only begins like JSON
  }
}
