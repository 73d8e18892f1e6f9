// The conversation and the box to write in.

import { $, announce, el, framed } from "./dom.js";
import { text } from "./graphql_run.js";
import { paintInterrupts } from "./interrupts.js";
import { isShown, MessageView, noteView } from "./message.js";
import { Suggestions } from "./suggestions.js";

const NEAR_END = 80; // pixels
const ANNOUNCED = 600; // characters

export class Chat {
  constructor(session) {
    this.session = session;
    this.views = new Map();
    this.conversation = null;
    this.follows = true;
    this.box = $("composer-text");
    const paint = framed(() => this.paint());
    session.addEventListener("change", paint);
    session.addEventListener("settled", () => this.#announceAnswer());
    $("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      this.send(this.box.value);
    });
    this.box.addEventListener("input", () => this.#paintComposer());
    this.box.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.send(this.box.value);
    });
    $("stop").addEventListener("click", () => session.stop());
    $("retry").addEventListener("click", () => session.retry());
    $("hint").addEventListener("click", () => this.send($("hint").textContent));
    new Suggestions(session, (words) => this.send(words));
    $("log").addEventListener("scroll", () => { this.follows = this.#isNearEnd(); }, { passive: true });
    new ResizeObserver(() => { if (this.follows) this.#toEnd(); }).observe($("log"));
    $("to-end").addEventListener("click", () => this.#toEnd());
  }

  send(words) {
    if (!words.trim() || this.session.busy || !this.session.agent) return;
    this.box.value = "";
    this.follows = true;
    announce("Sent.");
    this.session.send(words.trim());
  }

  paint() {
    const { conversation } = this.session;
    if (conversation !== this.conversation) {
      this.conversation = conversation;
      this.views.clear();
      this.follows = true;
    }
    this.#paintMessages(conversation);
    paintInterrupts($("interrupts"), this.session);
    this.#paintStatus(conversation);
    this.#paintComposer();
    if (this.follows) this.#toEnd();
    $("to-end").hidden = this.follows || this.#isNearEnd();
  }

  #paintMessages(conversation) {
    const views = new Map();
    const notes = Map.groupBy(conversation.notes, (note) => conversation.position(note));
    const paintNotes = (position) => {
      for (const note of notes.get(position) ?? []) views.set(note, this.views.get(note) ?? { node: noteView(note) });
    };
    paintNotes(0);
    conversation.messages.forEach((message, index) => {
      if (isShown(message)) {
        const view = this.views.get(message.id) ?? new MessageView(message);
        views.set(message.id, view);
        view.paint(message, conversation, this.session);
      }
      paintNotes(index + 1);
    });
    const list = $("messages");
    for (const [key, view] of this.views) if (!views.has(key)) view.node.remove();
    if (!this.views.size) list.replaceChildren();
    [...views.values()].forEach(({ node }, index) => {
      if (list.children[index] !== node) list.insertBefore(node, list.children[index] ?? null);
    });
    this.views = views;
    $("empty").hidden = views.size > 0 || this.session.connecting;
    $("log").classList.toggle("busy", this.session.busy);
    $("empty-agent").textContent = this.session.agent ?? "your agent";
    $("empty").classList.toggle("no-agent", !this.session.agent);
  }

  #paintStatus(conversation) {
    const { connecting, reconnecting, busy } = this.session;
    const step = conversation.step ? `Working on ${conversation.step}…` : "Working…";
    const streams = conversation.open.size > 0;
    $("activity").hidden = !busy || (streams && !reconnecting);
    $("activity-text").textContent = reconnecting ? "Reconnecting…" : connecting && !conversation.running ? "Loading…" : step;
    $("failure").hidden = !conversation.error;
    $("failure-text").textContent = conversation.error ?? "";
    $("retry").hidden = busy || conversation.messages.at(-1)?.role !== "user";
  }

  #paintComposer() {
    const { busy, agent } = this.session;
    $("send").hidden = busy;
    $("stop").hidden = !busy;
    $("send").disabled = !agent || !this.box.value.trim();
    this.box.disabled = !agent;
    this.box.placeholder = agent ? `Message ${agent}` : "No agent is registered";
    $("hint").disabled = busy || !agent;
  }

  #announceAnswer() {
    const { messages, interrupts, error } = this.session.conversation;
    const last = messages.at(-1);
    if (error) announce(`The run failed: ${error}`);
    else if (interrupts.length) announce("The agent asks you something.");
    else if (last?.role === "assistant") announce(text(last.content).slice(0, ANNOUNCED));
  }

  #isNearEnd() {
    const log = $("log");
    return log.scrollHeight - log.scrollTop - log.clientHeight < NEAR_END;
  }

  #toEnd() {
    this.follows = true;
    $("log").scrollTop = $("log").scrollHeight;
  }
}
