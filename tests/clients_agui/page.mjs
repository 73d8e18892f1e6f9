// A browser, as far as the clients need one, and what every page in it has in common.
import { createRequire } from "node:module";

// By require: under Node's own import, some dependencies lose their default export.
export const require = createRequire(import.meta.url);
require.extensions[".css"] = () => {};

const { JSDOM } = require("jsdom");
const { window } = new JSDOM("<!doctype html>", { url: "http://localhost/", pretendToBeVisual: true });
for (const name of Object.getOwnPropertyNames(window)) {
  if (!(name in globalThis)) globalThis[name] = window[name];
}
globalThis.window = globalThis;

// Every client sends the headers it was given with every request, so one of them says which page it is.
const PAGE = "x-page";
const pages = new Map();

const realFetch = globalThis.fetch;
globalThis.fetch = async (url, init = {}) => {
  const headers = new Headers(init.headers);
  const page = pages.get(headers.get(PAGE));
  if (!page) return realFetch(url, init);
  headers.delete(PAGE);
  const record = {
    method: init.method ?? "GET",
    path: String(url).slice(page.url.length),
    ...(typeof init.body === "string" ? { body: JSON.parse(init.body) } : {}),
    status: null,
    text: "",
    ended: false,
  };
  page.requests.push(record);
  const signals = [page.leaving.signal, init.signal].filter(Boolean);
  const response = await realFetch(url, { ...init, headers, signal: AbortSignal.any(signals) });
  record.status = response.status;
  return response.body ? listenTo(response, record) : response;
};

function listenTo(response, record) {
  const decoder = new TextDecoder();
  const listening = new TransformStream({
    transform(chunk, controller) {
      record.text += decoder.decode(chunk, { stream: true });
      controller.enqueue(chunk);
    },
    flush() {
      record.ended = true;
    },
  });
  const { status, statusText, headers } = response;
  return new Response(response.body.pipeThrough(listening), { status, statusText, headers });
}

export const plain = (value) => (value === undefined ? null : JSON.parse(JSON.stringify(value)));
const tick = () => new Promise((later) => setTimeout(later, 5));

/** One page: what it asked for, what it was told, and what it shows. */
export class Page {
  requests = [];
  errors = [];
  events = [];
  customs = [];
  toolCalls = [];
  answers = new Map();
  leaving = new AbortController();

  constructor(id, { url, headers = {}, tools = [] }) {
    this.id = id;
    this.url = url;
    this.headers = { ...headers, [PAGE]: id };
    this.tools = tools.map((tool) => this.tool(tool));
    pages.set(id, this);
  }

  tool({ name, result, ...options }) {
    const asked = () => new Promise((answer) => this.answers.set(name, answer));
    const handler = async (args) => {
      this.toolCalls.push({ name, args });
      return options.type === "human-in-the-loop" ? asked() : result;
    };
    return { name, description: `does ${name}`, ...options, handler };
  }

  /** The person at the page answers a tool that waits for one. */
  async answer({ tool, result }) {
    await this.until({ when: () => this.answers.has(tool) });
    this.answers.get(tool)(result);
  }

  failed(code, error) {
    this.errors.push({ code, message: error?.message ?? String(error) });
  }

  listen(agent) {
    agent.subscribe({
      onEvent: ({ event }) => void this.events.push(event.type),
      onCustomEvent: ({ event }) => void this.customs.push({ name: event.name, value: event.value }),
    });
    return agent;
  }

  show(agent) {
    return plain({
      messages: agent?.messages ?? [],
      state: agent?.state ?? {},
      interrupts: agent?.pendingInterrupts ?? [],
      running: agent?.isRunning ?? false,
      errors: this.errors,
    });
  }

  /** Returns the view once its messages contain a text, or a condition of the page holds. */
  async until({ text, when = () => JSON.stringify(this.view().messages).includes(text), seconds = 10 }) {
    const deadline = Date.now() + seconds * 1000;
    while (!when()) {
      if (Date.now() > deadline) throw new Error(`in vain: ${text ?? when}\n${JSON.stringify(this.view())}`);
      await tick();
    }
    return this.view();
  }

  /** Asks the runtime for something by its path. */
  async get({ path }) {
    const response = await fetch(this.url + path, { headers: this.headers });
    return response.json();
  }

  log() {
    const { requests, events, customs, toolCalls } = this;
    return plain({ requests, events, customs, toolCalls });
  }

  /** The page is closed: whatever it had open breaks off. */
  close() {
    pages.delete(this.id);
    this.leaving.abort(new DOMException("the page was closed", "AbortError"));
  }
}
