// A React page: @copilotkit/react-core 1.74, with the provider of either generation and a chat on one thread.
import { Page, plain, require } from "./page.mjs";

class NeverObserves {
  observe() {}
  unobserve() {}
  disconnect() {}
}
Object.assign(globalThis, { ResizeObserver: NeverObserves, IntersectionObserver: NeverObserves });
globalThis.matchMedia ??= () => ({ matches: false, addEventListener() {}, removeEventListener() {} });
Element.prototype.scrollTo ??= () => {};

const transports = { auto: {}, rest: { useSingleEndpoint: false }, single: { useSingleEndpoint: true } };

export class ReactPage extends Page {
  constructor(id, options) {
    super(id, options);
    const { url, version: generation, transport, properties, agent = "default", thread } = options;
    const { createElement } = require("react");
    const { CopilotKit } = require("@copilotkit/react-core");
    const { CopilotKitProvider, CopilotChat } = require("@copilotkit/react-core/v2");
    const onError = ({ code, error }) => this.failed(code, error);
    const provider = generation === "v1" ? CopilotKit : CopilotKitProvider;
    const named = generation === "v1" && agent !== "default" ? { agent } : {};
    const props = { runtimeUrl: url, headers: this.headers, properties, onError, ...named, ...transports[transport] };
    const chat = createElement(CopilotChat, { agentId: agent, ...(thread ? { threadId: thread } : {}) });
    const { includeArchived, limit, tools = [], approves } = options;
    const watch = createElement(Watch, { page: this, agentId: agent, includeArchived, limit, tools, approves });
    this.root = require("react-dom/client").createRoot(document.createElement("div"));
    this.root.render(createElement(provider, { ...props, showDevConsole: false }, chat, watch));
  }

  /** Opens the page, and waits for what there is of its thread, if it has one and `settle` is not false. */
  async open({ thread, settle = true }) {
    await this.until({ when: () => this.core?.runtimeConnectionStatus === "connected" });
    if (thread && settle) await this.until({ when: () => this.connects().at(-1)?.ended && !this.agent.isRunning });
    return plain({ transport: this.core.runtimeTransport, agents: Object.keys(this.core.agents) });
  }

  connects() {
    const isConnect = ({ path, body }) => path.endsWith("/connect") || body?.method === "agent/connect";
    return this.requests.filter(isConnect);
  }

  async send({ message }) {
    this.agent.addMessage(message);
    await this.core.runAgent({ agent: this.agent });
    return this.view();
  }

  /** Returns the list of threads as soon as it holds these. */
  async listed({ ids }) {
    const listed = () => this.threads.threads.map(({ id }) => id).sort();
    await this.until({ when: () => !this.threads.isLoading && String(listed()) === String([...ids].sort()) });
    const { threads, error, hasMoreThreads } = this.threads;
    return plain({ threads, error: error?.message, hasMoreThreads });
  }

  /** Renames, archives, unarchives or deletes a thread. */
  async manage({ action, thread, name }) {
    await this.threads[action](thread, name);
  }

  async refetch() {
    this.threads.refetchThreads();
  }

  async more() {
    this.threads.fetchMoreThreads();
  }

  /** Returns the interrupt that the page shows, when it does. */
  async asked() {
    await this.until({ when: () => this.interrupt });
    const { event, interrupts } = this.interrupt;
    return plain({ event, interrupts });
  }

  async resolve({ payload }) {
    const { resolve } = this.interrupt;
    this.interrupt = undefined;
    resolve(payload);
  }

  /** Returns what the page shows when no run is in progress. */
  async idle() {
    return this.until({ when: () => !this.agent.isRunning });
  }

  /** Answers what a tool asks the user, when the page shows it. */
  async respond({ result }) {
    await this.until({ when: () => this.question });
    await this.question(result);
  }

  view() {
    return this.show(this.agent);
  }

  close() {
    this.root.unmount();
    super.close();
  }
}

/** Shows nothing, and tells the page what the hooks say. */
function Watch({ page, agentId, includeArchived, limit, tools, approves }) {
  const { useAgent, useCopilotKit, useFrontendTool, useHumanInTheLoop, useInterrupt, useThreads } =
    require("@copilotkit/react-core/v2");
  const parameters = require("zod").z.object({});
  for (const { name, result } of tools) useFrontendTool({ name, parameters, handler: async () => result });
  if (approves) {
    useHumanInTheLoop({
      name: approves,
      parameters,
      render: ({ respond }) => {
        page.question = respond;
        return null;
      },
    });
  }
  page.core = useCopilotKit().copilotkit;
  page.threads = useThreads({ agentId, includeArchived, limit });
  const { agent } = useAgent({ agentId });
  if (agent !== page.agent) page.agent = page.listen(agent);
  return useInterrupt({
    agentId,
    renderInChat: false,
    render: (shown) => {
      page.interrupt = shown;
      return null;
    },
  });
}
