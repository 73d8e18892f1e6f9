// What the user could say next, as the agent suggests it: asked for as CopilotKit's frontends do.

import { Conversation } from "./conversation.js";
import { $, el, framed, newId } from "./dom.js";
import { suggesting } from "./settings.js";
import { events } from "./sse.js";
import { call, refusal } from "./transport.js";

const TOOL = "copilotkitSuggest";
const SHOWN = 4;
const text = (description) => ({ type: "string", description });
const DECLARATION = {
  name: TOOL,
  description: "Suggest what the user could say next.",
  parameters: {
    type: "object",
    properties: {
      suggestions: {
        type: "array",
        items: {
          type: "object",
          properties: { title: text("A few words for a button"), message: text("The message that the user would send") },
          required: ["title", "message"],
        },
      },
    },
    required: ["suggestions"],
  },
};

export class Suggestions {
  constructor(session, send) {
    this.session = session;
    this.send = send;
    this.shown = [];
    this.note = "";
    this.controller = null; // of the request that is under way
    this.conversation = null;
    const paint = framed(() => this.#paint());
    this.paint = paint;
    session.addEventListener("change", () => this.#changed());
    session.addEventListener("settled", () => { if (suggesting.get()) this.ask(); });
    $("suggest").addEventListener("click", () => this.#toggle());
    paint();
  }

  /** Asks the agent. A run of the agent, a new thread, or switching it off cancels the request. */
  async ask() {
    const { session } = this;
    const { conversation, agent } = session;
    if (!agent || session.busy || conversation.error || conversation.interrupts.length) return;
    this.#cancel();
    const controller = (this.controller = new AbortController());
    this.paint();
    try {
      this.shown = await this.#suggestions(agent, conversation, controller.signal);
      this.note = this.shown.length ? "" : "The agent made no suggestions.";
    } catch (error) {
      if (controller.signal.aborted) return;
      this.note = `No suggestions: ${error.message}`;
    }
    if (this.controller === controller) this.controller = null;
    this.paint();
  }

  async #suggestions(agent, conversation, signal) {
    const asked = { id: newId(), role: "user", content: `Suggest at most three things that I could say next, with ${TOOL}.` };
    const body = {
      threadId: newId(),
      runId: newId(),
      protocolVersion: "1.0",
      messages: [...conversation.messages.filter(({ role }) => role !== "activity"), asked],
      state: conversation.state,
      tools: [DECLARATION],
      context: [],
      forwardedProps: { toolChoice: { type: "function", function: { name: TOOL } } },
    };
    const headers = { accept: "text/event-stream" };
    const response = await call("agent/suggest", { agentId: agent }, { body, headers, signal });
    if (!response.ok) throw new Error(await refusal(response));
    const answer = new Conversation(body.threadId);
    for await (const { data } of events(response)) answer.apply(JSON.parse(data));
    if (answer.error) throw new Error(answer.error);
    const calls = answer.messages.flatMap(({ toolCalls }) => toolCalls ?? []);
    const suggested = calls.find((each) => each.function.name === TOOL);
    const { suggestions = [] } = suggested ? JSON.parse(suggested.function.arguments) : {};
    return suggestions.filter((each) => typeof each?.message === "string").slice(0, SHOWN);
  }

  #toggle() {
    suggesting.set(!suggesting.get());
    this.#clear();
    if (suggesting.get()) this.ask();
  }

  #changed() {
    const { conversation, busy } = this.session;
    const moved = conversation !== this.conversation;
    if (!moved && !busy) return this.paint();
    this.conversation = conversation;
    this.#clear();
    if (moved && !busy && suggesting.get()) this.ask();
  }

  #clear() {
    this.#cancel();
    this.shown = [];
    this.note = "";
    this.paint();
  }

  #cancel() {
    this.controller?.abort();
    this.controller = null;
  }

  #paint() {
    const { agent, busy } = this.session;
    $("suggest").setAttribute("aria-pressed", String(suggesting.get()));
    $("suggest").disabled = !agent;
    $("suggestions").hidden = busy || !agent;
    $("suggestions-note").textContent = this.controller ? "Thinking of suggestions…" : this.note;
    $("chips").replaceChildren(...this.shown.map(({ title, message }) =>
      el("button", { type: "button", class: "chip", title: message, onclick: () => this.send(message) }, String(title ?? message))));
  }
}
