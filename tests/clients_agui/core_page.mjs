// A page without a framework: @copilotkit/core, as its users call it.
import { Page, plain, require } from "./page.mjs";

export class CorePage extends Page {
  constructor(id, options) {
    super(id, options);
    const { version, url, transport, properties, suggestions } = options;
    this.module = require(`core-${version}`);
    this.version = version;
    this.transport = transport;
    this.core = new this.module.CopilotKitCore({
      runtimeTransport: transport,
      headers: this.headers,
      properties,
      tools: this.tools,
      ...(suggestions ? { suggestionsConfig: [suggestions] } : {}),
    });
    this.core.subscribe({ onError: ({ code, error }) => this.failed(code, error) });
    this.core.setRuntimeUrl(url);
  }

  async open() {
    const { core } = this;
    await this.until({ when: () => ["connected", "error"].includes(core.runtimeConnectionStatus) });
    for (const agent of Object.values(core.agents)) this.listen(agent);
    return plain({
      status: core.runtimeConnectionStatus,
      transport: core.runtimeTransport,
      version: core.runtimeVersion,
      agents: Object.keys(core.agents),
      threadEndpoints: core.threadEndpoints,
      suggestions: core.suggestions,
      transcription: core.audioFileTranscriptionEnabled,
      licence: core.licenseStatus,
      errors: this.errors,
    });
  }

  /** Takes the agent and the thread that the page is on. */
  on({ agent = "default", thread }) {
    this.agent = this.core.getAgent(agent);
    if (!this.agent) throw new Error(`the runtime has no agent ${agent}`);
    if (thread) this.agent.threadId = thread;
    return this.agent;
  }

  async connect(where) {
    await this.core.connectAgent({ agent: this.on(where) });
    return this.view();
  }

  async send({ message, forwardedProps, resume, runId, ...where }) {
    const agent = this.on(where);
    if (message) agent.addMessage(message);
    return this.run(agent, { forwardedProps, resume, runId });
  }

  async run(agent, parameters) {
    // The core of 1.50 takes no parameters, and throws what later ones report.
    const isOld = this.version === "1.50.0" && parameters.forwardedProps;
    const running = isOld ? agent.runAgent(parameters) : this.core.runAgent({ agent, ...parameters });
    await running.catch((error) => this.failed("threw", error));
    return this.view();
  }

  async stop() {
    this.core.stopAgent({ agent: this.agent });
  }

  async sendToUnknown({ agent, message }) {
    const { url, headers, transport } = this;
    const { ProxiedCopilotRuntimeAgent } = this.module;
    this.agent = this.listen(new ProxiedCopilotRuntimeAgent({ runtimeUrl: url, agentId: agent, transport, headers }));
    this.agent.addMessage(message);
    return this.run(this.agent, {});
  }

  setState({ state, ...where }) {
    this.on(where).setState(state);
  }

  /** Returns the suggestions that the client asked for after a run, when they are there. */
  async suggestions({ agent = "default", count = 1 }) {
    const told = () => this.core.getSuggestions(agent);
    await this.until({ when: () => !told().isLoading && told().suggestions.length >= count });
    return told().suggestions;
  }

  view() {
    return this.show(this.agent);
  }
}
