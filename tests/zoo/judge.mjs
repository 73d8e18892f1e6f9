// The real clients, without a network. One JSON request a line on stdin, one JSON answer a line on stdout.
//
// {id, op: "ask", page, kind, ...} makes the page send a request, and answers with the request's body, or with
// {view} where the page sends none. {id, op: "answer", page, status, type, body} gives it the response, and
// answers with what it shows.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const agui = createRequire(new URL("../clients_agui/package.json", import.meta.url));
const graphql = createRequire(new URL("../clients/package.json", import.meta.url));

const pages = new Map();
const { write } = process.stdout;
const send = (message) => write.call(process.stdout, JSON.stringify(message) + "\n");

// Every page has an address of its own, by which its requests are known.
globalThis.fetch = (url, init) => pages.get(new URL(url).hostname).fetch(init);

const upToUser = (messages, isUsers, before) => {
  const places = messages.flatMap((message, place) => (isUsers(message) ? [place] : []));
  return messages.slice(0, before ? places[before - 1] : places.at(-1) + 1);
};

class Page {
  constructor(id) {
    this.url = `http://${id}/`;
  }

  /** Does something that sends a request, and returns the request's body once it is sent. */
  async ask(request) {
    this.error = null;
    const sent = new Promise((resolve) => (this.sent = resolve));
    this.done = this.send(request).catch((error) => (this.error = error?.message ?? String(error)));
    return Promise.race([sent, this.done.then(() => ({ view: this.view() }))]);
  }

  fetch(init) {
    this.sent({ body: JSON.parse(init.body) });
    return new Promise((resolve) => (this.respond = resolve));
  }

  async answer({ status, type, body }) {
    this.respond(new Response(body, { status, headers: { "content-type": type } }));
    await this.done;
    return this.view();
  }
}

class AGUIPage extends Page {
  constructor(id, { version, thread }) {
    super(id);
    const { HttpAgent } = agui(`client-${version}`);
    this.agent = new HttpAgent({ url: this.url, threadId: thread });
    this.interrupted = null;
    this.agent.subscribe({
      onCustomEvent: ({ event }) => {
        if (event.name === "on_interrupt") this.interrupted = event.value;
      },
    });
  }

  async send({ messages = [], parameters = {}, state }) {
    if (state) this.agent.state = { ...this.agent.state, ...state };
    for (const message of messages) this.agent.addMessage(message);
    this.interrupted = null;
    const failed = ({ event }) => void (this.error = event.message);
    await this.agent.runAgent(parameters, { onRunErrorEvent: failed });
  }

  /** Goes back to the user's last message, or before one of the user's. */
  rewind({ before }) {
    this.agent.setMessages(upToUser(this.agent.messages, ({ role }) => role === "user", before));
    this.agent.pendingInterrupts = [];
    return this.view();
  }

  view() {
    const { messages, state, pendingInterrupts } = this.agent;
    return { messages, state, pending: pendingInterrupts ?? [], question: this.interrupted, error: this.error };
  }
}

class GraphQLPage extends Page {
  messages = [];
  state = {};
  question = null;

  constructor(id, { version, thread, agent }) {
    super(id);
    this.library = graphql(`client-${version}`);
    this.thread = thread;
    this.agent = agent;
    const failed = (error) => void (this.error = error.message);
    this.client = new this.library.CopilotRuntimeClient({ url: this.url, handleGQLErrors: failed });
  }

  async send({ load, ...request }) {
    return load ? this.load() : this.generate(request);
  }

  async load() {
    const data = { threadId: this.thread, agentName: this.agent };
    const answer = await this.client.loadAgentState(data).toPromise();
    if (answer.error) throw answer.error;
    this.loaded = answer.data.loadAgentState;
  }

  async generate({ messages = [], answer, tools, state }) {
    const { MessageRole, TextMessage, ResultMessage, convertMessagesToGqlInput } = this.library;
    for (const { id, role, content, call, name } of messages) {
      const result = () => new ResultMessage({ id, actionExecutionId: call, actionName: name, result: content });
      const text = () => new TextMessage({ id, role: MessageRole.User, content });
      this.messages.push(role === "tool" ? result() : text());
    }
    this.state = { ...this.state, ...state };
    const { question } = this;
    this.question = null;
    const shown = this.messages.filter((message) => !message.isAgentStateMessage());
    const event = { name: "LangGraphInterruptEvent", value: question, response: answer };
    const data = {
      agentSession: { agentName: this.agent, ...(this.node ? { nodeName: this.node } : {}) },
      agentStates: [{ agentName: this.agent, state: JSON.stringify(this.state) }],
      context: [],
      extensions: {},
      forwardedParameters: {},
      frontend: { actions: tools, url: "http://localhost/" },
      messages: convertMessagesToGqlInput(shown),
      metaEvents: answer === undefined ? [] : [event],
      metadata: { requestType: "Chat" },
      runId: null,
      threadId: this.thread,
    };
    const source = this.client.generateCopilotResponse({ data, properties: {} });
    const reader = this.client.asStream(source).getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) this.latest = part.value;
  }

  async answer(response) {
    this.latest = null;
    return super.answer(response);
  }

  rewind({ before }) {
    const isUsers = (message) => message.isTextMessage() && message.role === this.library.MessageRole.User;
    this.messages = upToUser(this.messages, isUsers, before);
    this.question = null;
    return this.view();
  }

  view() {
    const { convertGqlOutputToMessages, filterAdjacentAgentStateMessages } = this.library;
    const response = this.latest?.generateCopilotResponse;
    if (response) {
      const output = filterAdjacentAgentStateMessages(structuredClone(response.messages ?? []));
      const received = convertGqlOutputToMessages(output);
      this.messages.push(...received);
      const state = received.filter((message) => message.isAgentStateMessage()).at(-1);
      if (state) {
        const { messages, copilotkit, ...shared } = state.state;
        this.state = shared;
        this.node = state.nodeName;
      }
      this.question = response.metaEvents?.at(-1)?.value ?? null;
      if (response.status?.code === "Failed") this.error = response.status.details?.description ?? "Failed";
      this.latest = null;
    }
    const messages = this.messages.map((message) => ({ ...message, type: message.type }));
    return { messages, state: this.state, question: this.question, error: this.error, loaded: this.loaded };
  }
}

const kinds = { agui: AGUIPage, graphql: GraphQLPage };

async function perform({ op, page: id, kind, ...request }) {
  if (op === "close") return void pages.delete(id);
  if (op === "open") return void pages.set(id, new kinds[kind](id, request));
  return pages.get(id)[op](request);
}

// A failed stream is reported once more, as a rejection that nobody waits for.
process.on("unhandledRejection", () => {});
console.log = console.info = console.warn = console.error = console.debug = () => {};
createInterface({ input: process.stdin }).on("line", async (line) => {
  const { id, ...request } = JSON.parse(line);
  try {
    send({ id, result: (await perform(request)) ?? null });
  } catch (error) {
    send({ id, error: error.stack ?? String(error) });
  }
});
