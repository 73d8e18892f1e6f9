// The view of one message: a node that is created once, and repainted when its parts change.

import { colour, pretty } from "./colour.js";
import { asText } from "./conversation.js";
import { announce, copy, el, iconButton } from "./dom.js";
import { text } from "./graphql_run.js";
import { Prose } from "./markdown.js";
import { offers } from "./page_tools.js";

/** The view of a message. Its node stays the same over repaints. */
export class MessageView {
  constructor(message) {
    this.node = el("li", { class: `message ${message.role}` });
    this.shown = [];
    this.prose = new Prose();
    this.folds = new Map(); // what a person has folded or unfolded
  }

  paint(message, conversation, session) {
    const calls = message.toolCalls ?? [];
    const results = calls.map((call) => conversation.result(call.id)?.content);
    const parts = [
      message.content,
      conversation.open.has(message.id),
      calls.length && session.busy,
      ...calls.map((call) => call.function.arguments),
      ...results,
    ];
    if (parts.length === this.shown.length && parts.every((part, index) => part === this.shown[index])) return false;
    this.shown = parts;
    this.node.replaceChildren(...CONTENTS[message.role](message, conversation, this));
    calls.forEach((call, index) => this.node.append(toolCall(call, results[index], conversation, session, this)));
    if (["user", "assistant"].includes(message.role) && text(message.content)) this.node.append(this.#actions(message, session));
    return true;
  }

  #actions(message, session) {
    const said = text(message.content);
    const copyIt = () => copy(said).then(() => announce("Copied."));
    const actions = el("div", { class: "message-actions" }, iconButton("copy", "Copy this message", copyIt));
    const whenIdle = (name, label, action) => {
      const button = iconButton(name, label, () => session.busy || action());
      button.classList.add("when-idle");
      actions.append(button);
    };
    if (message.role === "assistant") whenIdle("retry", "Answer again", () => session.regenerate(message.id));
    else if (typeof message.content === "string") whenIdle("rename", "Edit this message", () => this.#edit(message, session));
    return actions;
  }

  #edit(message, session) {
    const area = el("textarea", { "aria-label": "Edit the message", rows: 1 });
    area.value = message.content;
    const leave = () => {
      this.shown = [];
      this.paint(message, session.conversation, session);
      this.node.querySelector(".message-actions button:last-child")?.focus();
    };
    const form = el("form", { class: "edit" }, area, el("div", { class: "answer" },
      el("button", { type: "submit", class: "primary" }, "Send"), el("button", { type: "button", onclick: leave }, "Cancel")));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (session.busy || !area.value.trim()) return;
      this.shown = [];
      session.edit(message.id, area.value.trim());
    });
    area.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        form.requestSubmit();
      } else if (event.key === "Escape") {
        event.stopPropagation();
        leave();
      }
    });
    this.node.replaceChildren(form);
    area.focus();
  }
}

/** What the page adds behind a message: that a run was stopped, or a question with its answer. */
export function noteView({ kind, question, answer }) {
  if (kind === "stopped") return el("li", { class: "stopped" }, "Stopped");
  return el("li", { class: "answered" },
    el("p", { class: "asks" }, "The agent asked"),
    question ? el("p", { class: "words" }, asText(question)) : null,
    el("p", { class: "given" }, answer === null ? "You dismissed the question." : ["You answered ", el("strong", {}, answerText(answer))]));
}

/** An answer in words; an approval is a yes or a no. */
function answerText(answer) {
  const isApproval = typeof answer?.approved === "boolean" && Object.keys(answer).length === 1;
  return isApproval ? (answer.approved ? "yes" : "no") : asText(answer);
}

export const isShown = (message) => message.role in CONTENTS;

const CONTENTS = {
  user: (message) => [el("div", { class: "bubble" }, text(message.content))],
  assistant: (message, conversation, { prose }) => {
    const said = text(message.content);
    const open = conversation.open.has(message.id);
    if (!said && (message.toolCalls?.length || !open)) return [];
    prose.update(said, open);
    return [prose.node];
  },
  reasoning: (message, conversation, view) => {
    const open = conversation.open.has(message.id);
    view.prose.update(text(message.content), false);
    return [foldable(view, "reasoning", open, { class: "reasoning" },
      el("summary", {}, open ? "Thinking…" : "Thought"),
      view.prose.node)];
  },
  activity: (message, conversation, view) => {
    const body = el("pre");
    colour(body, pretty(message.content));
    return [foldable(view, "activity", true, { class: "card" }, el("summary", {}, el("span", { class: "badge" }, "activity"), message.activityType), body)];
  },
};

function toolCall(call, result, conversation, session, view) {
  const { name, arguments: args } = call.function;
  const pending = result === undefined;
  const status = !pending ? "done" : conversation.open.has(call.id) ? "calling" : session.busy ? "running" : "waiting";
  const details = foldable(view, call.id, false, { class: `card call ${status}` },
    el("summary", {},
      el("span", { class: "badge" }, offers(name) ? "page tool" : "tool"),
      el("code", {}, name),
      el("span", { class: "brief" }, args),
      el("span", { class: "state" }, status)));
  details.append(el("h4", {}, "Arguments"), json(args));
  if (!pending) details.append(el("h4", {}, "Result"), json(text(result)));
  if (status !== "waiting" || !offers(name)) return details;
  return el("div", { class: "waiting-call" }, details,
    el("button", { type: "button", onclick: () => session.runPageTools() }, "Run it in this page"));
}

/** Details that stay open or closed over repaints, as the user has left them. */
function foldable(view, key, open, attributes, summary, ...rest) {
  const details = el("details", { ...attributes, open: view.folds.get(key) ?? open }, summary, ...rest);
  summary.addEventListener("click", () => view.folds.set(key, !details.open));
  return details;
}

function json(source) {
  const made = el("pre");
  try {
    colour(made, pretty(JSON.parse(source)));
  } catch { // part of JSON, or plain text
    made.textContent = source;
  }
  return made;
}
