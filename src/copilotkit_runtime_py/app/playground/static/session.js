// The conversation that the chat shows, and what a person can do with it: send, answer, stop, open, try again.

import { asText, Conversation } from "./conversation.js";
import { newId } from "./dom.js";
import * as graphqlRun from "./graphql_run.js";
import { bodies, merge } from "./multipart.js";
import * as pageTools from "./page_tools.js";
import { notes, place, wire } from "./settings.js";
import { events } from "./sse.js";
import { call, graphql, refusal } from "./transport.js";

const ROUNDS = 10; // runs in a row that end with a call of one of the page's tools
const RECONNECT_SECONDS = [0.3, 1, 2, 4, 8];

/**
 * Events: `change` of the conversation, `moved` to another thread, `frame` for what was received, `started` and
 * `settled` of a run.
 */
export class Session extends EventTarget {
  constructor() {
    super();
    this.agent = null;
    this.connecting = false;
    this.reconnecting = false;
    this.overGraphQL = null; // the conversation with a run over GraphQL, which is stopped by disconnecting
    this.#reset(newId());
  }

  get busy() {
    return this.connecting || this.reconnecting || this.conversation.running;
  }

  /** Shows a thread of the server as it is, and follows the run that is in progress. */
  async open(agent, threadId) {
    this.#leave();
    this.agent = agent;
    this.#reset(threadId);
    const { conversation, controller } = this;
    this.#moved();
    this.connecting = true;
    this.#changed();
    try {
      await this.#watch(await this.#connect(conversation, controller.signal), conversation, controller.signal);
    } catch (error) {
      if (!controller.signal.aborted) conversation.end(error.message);
    }
    this.#settle(conversation, () => { this.connecting = false; });
  }

  /** Begins a new thread; the server hears of it with the first message. */
  begin(agent) {
    this.#leave();
    this.agent = agent;
    this.#reset(newId());
    this.#moved();
    this.#changed();
  }

  send(text) {
    this.conversation.messages.push({ id: newId(), role: "user", content: text });
    return this.#run();
  }

  /** Sends a message of the user again with another text. What followed it is forgotten. */
  edit(id, text) {
    const { conversation } = this;
    const at = conversation.messages.findIndex((message) => message.id === id);
    const message = conversation.messages[at];
    conversation.cut(at);
    conversation.messages.push({ ...message, content: text });
    return this.#run();
  }

  /** Has the agent answer again: the last message of the user before a message of the agent. */
  regenerate(id) {
    const { conversation } = this;
    const at = conversation.messages.findIndex((message) => message.id === id);
    conversation.cut(conversation.messages.slice(0, at).findLastIndex((message) => message.role === "user") + 1);
    return this.#run();
  }

  /** Answers an open question, in the words shown. Without a value it is dismissed, which only AG-UI 1.0 knows. */
  answer(interrupt, value, question) {
    const { interrupts } = this.conversation;
    const asked = interrupt.value ?? interrupt.message ?? "";
    this.conversation.note({ kind: "answer", id: interrupt.outcome ? interrupt.id : null, question, answer: value ?? null });
    this.#store();
    const metaEvent = { value: asText(asked), response: asText(value ?? "") };
    if (!interrupt.outcome) {
      return this.#run({ forwardedProps: { command: { resume: value, interruptEvent: asked } } }, metaEvent);
    }
    interrupt.answer = value === undefined ? { status: "cancelled" } : { status: "resolved", payload: value };
    if (interrupts.some((each) => !each.answer)) return this.#changed();
    return this.#run({ resume: interrupts.map(({ id, answer }) => ({ interruptId: id, ...answer })) }, metaEvent);
  }

  /** Runs the calls of the page's tools that have no result, such as those from before a reload. */
  runPageTools() {
    if (this.#callPageTools(this.conversation, 0)) return this.#run();
  }

  retry() {
    return this.#run();
  }

  async stop() {
    const { conversation, controller } = this;
    if (this.overGraphQL === conversation) {
      controller.abort();
      this.#stopped(conversation);
      return;
    }
    try {
      const response = await call("agent/stop", { agentId: this.agent, threadId: conversation.threadId });
      if (!response.ok) throw new Error(await refusal(response));
      if ((await response.json()).stopped) this.#stopped(conversation);
    } catch (error) {
      conversation.error = `Could not stop the run: ${error.message}`;
      this.#changed();
    }
  }

  setState(state) {
    this.conversation.state = state;
    this.#changed();
  }

  #stopped(conversation) {
    conversation.note({ kind: "stopped" });
    this.#store();
    this.#changed();
  }

  #store() {
    notes.set(this.conversation.threadId, this.conversation.notes);
  }

  #moved() {
    place.set({ agent: this.agent, threadId: this.conversation.threadId });
    this.dispatchEvent(new Event("moved"));
  }

  #reset(threadId) {
    this.conversation = new Conversation(threadId);
    this.conversation.notes = notes.get(threadId);
    this.controller = new AbortController();
  }

  #leave() {
    this.controller.abort();
    this.connecting = this.reconnecting = false;
  }

  async #run(extra = {}, metaEvent = null) {
    const conversation = this.conversation;
    for (let round = 0; round < ROUNDS; round++) {
      const start = conversation.messages.length;
      if (this.controller.signal.aborted) this.controller = new AbortController();
      const { signal } = this.controller;
      Object.assign(conversation, { running: true, error: null, interrupts: [] });
      this.#changed();
      try {
        if (wire.get() === "graphql") await this.#runOverGraphQL(conversation, metaEvent, signal);
        else await this.#runOverAGUI(conversation, extra, signal);
      } catch (error) {
        conversation.end(signal.aborted ? null : error.message);
      }
      this.#settle(conversation);
      if (conversation !== this.conversation || signal.aborted || conversation.error) return;
      if (!this.#callPageTools(conversation, start)) return;
      [extra, metaEvent] = [{}, null];
    }
  }

  async #runOverAGUI(conversation, extra, signal) {
    const body = {
      threadId: conversation.threadId,
      runId: newId(),
      protocolVersion: "1.0",
      messages: conversation.messages,
      state: conversation.state,
      tools: pageTools.declarations,
      context: [],
      forwardedProps: {},
      ...extra,
    };
    const headers = { accept: "text/event-stream" };
    const response = await call("agent/run", { agentId: this.agent }, { body, headers, signal });
    if (!response.ok) throw new Error(await refusal(response));
    this.dispatchEvent(new Event("started"));
    await this.#watch(response, conversation, signal);
  }

  async #runOverGraphQL(conversation, metaEvent, signal) {
    const before = conversation.messages;
    const body = graphqlRun.request(this.agent, conversation, pageTools.declarations, metaEvent);
    this.overGraphQL = conversation;
    const result = {};
    let error = null;
    try {
      const response = await graphql(body, { signal });
      for await (const text of bodies(response)) {
        const payload = JSON.parse(text);
        if (payload.data) this.dispatchEvent(new Event("started"));
        this.#received("GraphQL", partName(payload), payload);
        merge(result, payload);
        error = graphqlRun.fill(conversation, before, result);
        this.#changed();
      }
      if (!result.data && !error) error = `HTTP ${response.status}, and no data`;
    } finally {
      if (this.overGraphQL === conversation) this.overGraphQL = null;
      conversation.end(error);
    }
  }

  /** Asks for a thread from where the conversation is, to the end of the run in progress. */
  async #connect(conversation, signal) {
    const last = conversation.lastEventId;
    const body = { threadId: conversation.threadId, runId: newId(), protocolVersion: "1.0", messages: [] };
    const headers = { accept: "text/event-stream", ...(last ? { "last-event-id": last } : {}) };
    const response = await call("agent/connect", { agentId: this.agent }, { body, headers, signal });
    if (!response.ok) throw new Error(await refusal(response));
    return response;
  }

  /** Reads a stream, and where it breaks off connects again until the run has ended. */
  async #watch(response, conversation, signal) {
    try {
      await this.#read(response, conversation);
    } catch (error) {
      if (signal.aborted) throw error;
    }
    for (let attempt = 0; conversation.running && attempt < RECONNECT_SECONDS.length; attempt++) {
      this.reconnecting = true;
      this.#changed();
      await new Promise((done) => setTimeout(done, RECONNECT_SECONDS[attempt] * 1000));
      if (signal.aborted) return;
      const last = conversation.lastEventId;
      try {
        await this.#read(await this.#connect(conversation, signal), conversation);
      } catch (error) {
        if (signal.aborted) throw error;
      }
      if (conversation.lastEventId !== last) attempt = -1;
    }
    if (conversation.running) conversation.end("Lost the connection. Reload the page to follow the run.");
    if (conversation === this.conversation) this.reconnecting = false;
  }

  async #read(response, conversation) {
    for await (const { id, data } of events(response)) {
      const event = JSON.parse(data);
      this.#received("AG-UI", event.type, event, id);
      if (id) conversation.lastEventId = id;
      try {
        conversation.apply(event);
      } catch (error) {
        this.#received("AG-UI", "NOT APPLIED", { event: event.type, because: error.message });
      }
      if (conversation === this.conversation) this.reconnecting = false;
      this.#changed();
    }
  }

  #callPageTools(conversation, start) {
    const calls = conversation.unanswered(start).filter((each) => pageTools.offers(each.function.name));
    for (const { id, function: called } of calls) {
      conversation.messages.push({ id: newId(), role: "tool", toolCallId: id, content: pageTools.run(called) });
    }
    return calls.length > 0;
  }

  #settle(conversation, change = () => {}) {
    if (conversation !== this.conversation) return;
    change();
    conversation.running = false;
    this.#changed();
    this.dispatchEvent(new Event("settled"));
  }

  #received(contract, type, data, id = null) {
    this.dispatchEvent(new CustomEvent("frame", { detail: { contract, type, data, id } }));
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}

/** A short name for a part of an incremental answer: what it is about. */
function partName({ data, errors, incremental, hasNext }) {
  if (errors) return "errors";
  if (data) return "data";
  const paths = (incremental ?? []).map(({ path }) => path.slice(1).filter((key) => typeof key === "string").join(".") || "response");
  return [...new Set(paths)].join(" + ") + (hasNext === false ? " (last)" : "");
}
