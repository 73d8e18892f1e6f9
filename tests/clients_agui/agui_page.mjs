// A page that is no CopilotKit: the HttpAgent of @ag-ui/client, straight at the routes of an agent.
import { createRequire } from "node:module";

import { Page, require } from "./page.mjs";

// The core of 1.69 depends on this version, and brings it along.
const clients = { "0.0.57": () => createRequire(require.resolve("core-1.69.0"))("@ag-ui/client") };

export class AguiPage extends Page {
  constructor(id, options) {
    super(id, options);
    const load = clients[options.version] ?? (() => require(`client-${options.version}`));
    const { HttpAgent } = load();
    this.agent = this.listen(new HttpAgent({ url: options.url, headers: this.headers }));
  }

  open() {}

  async connect(where) {
    return this.run("connect", where, {});
  }

  async send({ message, resume, forwardedProps, runId, ...where }) {
    if (message) this.agent.addMessage(message);
    return this.run("run", where, { resume, forwardedProps, runId, tools: this.tools.map(described) });
  }

  async run(route, { agent = "default", thread }, parameters) {
    this.agent.url = `${this.url}/agent/${agent}/${route}`;
    if (thread) this.agent.threadId = thread;
    const onRunErrorEvent = ({ event }) => this.failed("agent_run_error_event", event.message);
    await this.agent.runAgent(parameters, { onRunErrorEvent }).catch((error) => this.failed("threw", error));
    return this.view();
  }

  async stop({ agent = "default" }) {
    const url = `${this.url}/agent/${agent}/stop/${this.agent.threadId}`;
    const answer = await fetch(url, { method: "POST", headers: this.headers });
    return answer.json();
  }

  view() {
    return this.show(this.agent);
  }
}

const described = ({ name, description }) => ({ name, description, parameters: { type: "object", properties: {} } });
