// A thread as AG-UI events tell it. Nothing in here knows the page or the network.

import { patched } from "./json_patch.js";

export class Conversation {
  constructor(threadId) {
    this.threadId = threadId;
    this.messages = []; // AG-UI messages
    this.state = {};
    this.interrupts = []; // {id, message, value, outcome}: open questions
    this.notes = []; // {kind, after, at, …}: what the page adds between messages, which no agent gets
    this.running = false;
    this.runId = null;
    this.step = null;
    this.error = null;
    this.lastEventId = null;
    this.open = new Set(); // ids of the messages and tool calls that still grow
  }

  apply(event) {
    HANDLERS[event.type]?.(this, event);
  }

  message(id, role) {
    let found = this.messages.find((message) => message.id === id);
    if (!found) {
      found = { id, role, content: "" };
      this.messages.push(found);
    }
    return found;
  }

  /** Begins a message. One that is replayed from its start, as after a reload, begins empty. */
  start(id, role) {
    this.message(id, role).content = "";
    this.open.add(id);
  }

  call(id) {
    for (const message of this.messages) {
      const found = message.toolCalls?.find((call) => call.id === id);
      if (found) return found;
    }
    return null;
  }

  result(callId) {
    return this.messages.find((message) => message.role === "tool" && message.toolCallId === callId) ?? null;
  }

  /** The calls of the messages from `start` on that have no result. */
  unanswered(start = 0) {
    return this.messages.slice(start).flatMap((message) => message.toolCalls ?? []).filter((call) => !this.result(call.id));
  }

  /** Adds a note behind the last message: "stopped", or "answer" with a question and its answer. */
  note(note) {
    this.notes.push({ ...note, after: this.messages.at(-1)?.id ?? null, at: this.messages.length });
  }

  /** The number of messages that a note stands behind. Another contract may give them other ids. */
  position({ after, at }) {
    return this.messages.findIndex((message) => message.id === after) + 1 || Math.min(at, this.messages.length);
  }

  /** Goes back to the first messages; what followed them is forgotten. */
  cut(length) {
    this.notes = this.notes.filter((note) => this.position(note) < length);
    this.messages = this.messages.slice(0, length);
    this.interrupts = [];
  }

  end(error = null) {
    this.running = false;
    this.step = null;
    this.error = error;
    this.open.clear();
  }
}

function extend(conversation, event, role) {
  const message = conversation.message(event.messageId, role);
  message.content += event.delta;
  conversation.open.add(message.id);
}

/** Notes the answers that a run was given, as far as they are not known: those of the past. */
function answered(conversation, input) {
  const answers = (input?.resume ?? []).map(({ interruptId, status, payload }) =>
    ({ id: interruptId, answer: status === "cancelled" ? null : payload }));
  const command = input?.forwardedProps?.command;
  if (command && "resume" in command) answers.push({ question: command.interruptEvent, answer: command.resume });
  for (const given of answers) {
    // The other contract has other ids.
    const same = (note) => (given.id && note.id ? note.id === given.id : asText(note.answer) === asText(given.answer));
    if (!conversation.notes.some((note) => note.kind === "answer" && same(note))) conversation.note({ kind: "answer", ...given });
  }
}

/** A value as a person reads it. */
export const asText = (value) => (typeof value === "string" ? value : JSON.stringify(value) ?? "");

function snapshot(conversation, messages) {
  // A snapshot holds no reasoning and no activities: those stay behind the message that they followed.
  const merged = structuredClone(messages);
  const known = new Set(merged.map((message) => message.id));
  conversation.messages.forEach((message, index) => {
    if (known.has(message.id) || !["reasoning", "activity"].includes(message.role)) return;
    const before = conversation.messages[index - 1]?.id;
    merged.splice(merged.findIndex((each) => each.id === before) + 1, 0, message);
    known.add(message.id);
  });
  conversation.messages = merged;
}

const HANDLERS = {
  RUN_STARTED(conversation, { runId, input }) {
    Object.assign(conversation, { running: true, runId, error: null, interrupts: [] });
    for (const message of input?.messages ?? []) {
      if (!conversation.messages.some((each) => each.id === message.id)) conversation.messages.push(message);
    }
    answered(conversation, input);
  },
  RUN_FINISHED(conversation, { outcome }) {
    conversation.end();
    if (outcome?.interrupts?.length) {
      conversation.interrupts = outcome.interrupts.map((interrupt) => ({ ...interrupt, outcome: true }));
    }
  },
  RUN_ERROR: (conversation, { message, code }) => conversation.end(code ? `${message} (${code})` : message),
  STEP_STARTED: (conversation, { stepName }) => { conversation.step = stepName; },
  STEP_FINISHED: (conversation) => { conversation.step = null; },
  TEXT_MESSAGE_START: (conversation, { messageId, role }) => conversation.start(messageId, role ?? "assistant"),
  TEXT_MESSAGE_CONTENT: (conversation, event) => extend(conversation, event, "assistant"),
  TEXT_MESSAGE_END: (conversation, { messageId }) => conversation.open.delete(messageId),
  REASONING_MESSAGE_START: (conversation, { messageId }) => conversation.start(messageId, "reasoning"),
  REASONING_MESSAGE_CONTENT: (conversation, event) => extend(conversation, event, "reasoning"),
  REASONING_MESSAGE_END: (conversation, { messageId }) => conversation.open.delete(messageId),
  TOOL_CALL_START(conversation, { toolCallId, toolCallName, parentMessageId }) {
    const message = conversation.message(parentMessageId ?? toolCallId, "assistant");
    message.toolCalls ??= [];
    const known = conversation.call(toolCallId);
    if (known) known.function.arguments = "";
    else message.toolCalls.push({ id: toolCallId, type: "function", function: { name: toolCallName, arguments: "" } });
    conversation.open.add(toolCallId);
  },
  TOOL_CALL_ARGS(conversation, { toolCallId, delta }) {
    const call = conversation.call(toolCallId);
    if (call) call.function.arguments += delta;
  },
  TOOL_CALL_END: (conversation, { toolCallId }) => conversation.open.delete(toolCallId),
  TOOL_CALL_RESULT(conversation, { messageId, toolCallId, content }) {
    Object.assign(conversation.message(messageId, "tool"), { toolCallId, content });
  },
  STATE_SNAPSHOT: (conversation, event) => { conversation.state = event.snapshot; },
  STATE_DELTA: (conversation, { delta }) => { conversation.state = patched(conversation.state, delta); },
  MESSAGES_SNAPSHOT: (conversation, { messages }) => snapshot(conversation, messages),
  ACTIVITY_SNAPSHOT(conversation, { messageId, activityType, content }) {
    Object.assign(conversation.message(messageId, "activity"), { activityType, content });
  },
  ACTIVITY_DELTA(conversation, { messageId, patch }) {
    const activity = conversation.message(messageId, "activity");
    activity.content = patched(activity.content, patch);
  },
  CUSTOM(conversation, { name, value }) {
    if (name === "on_interrupt") conversation.interrupts.push({ id: `custom-${conversation.interrupts.length}`, value, outcome: false });
  },
};
