// The real Node runtime in front of AG-UI agents at <base><agent>. Prints its port.
//
// Usage: node reference.mjs <base> [agent]
// With an agent, the runtime serves that agent, untouched. Without, it serves any agent at /<agent>: this runtime
// forgets its other agents after the first run, and an agent that was aborted once never works again, so each
// request gets an agent of its own.
import { AsyncLocalStorage } from "node:async_hooks";
import { createServer } from "node:http";
import { HttpAgent } from "@ag-ui/client";
import { CopilotRuntime, EmptyAdapter, copilotRuntimeNodeHttpEndpoint } from "@copilotkit/runtime";

const [base, only] = process.argv.slice(2);
const agentsOf = (name) => ({ [name]: new HttpAgent({ url: base + name }) });

const agents = new AsyncLocalStorage();
const runtime = new CopilotRuntime({ agents: only ? agentsOf(only) : {} });
if (!only) Object.defineProperty(runtime, "agents", { get: () => agents.getStore(), set: () => {} });

const endpoint = "/api/copilotkit";
const serviceAdapter = new EmptyAdapter();
const handle = copilotRuntimeNodeHttpEndpoint({ runtime, serviceAdapter, endpoint, logLevel: "silent" });

function serve(request, response) {
  if (only) return handle(request, response);
  const url = new URL(request.url, "http://localhost");
  request.url = endpoint + url.search;
  return agents.run(agentsOf(url.pathname.slice(1)), () => handle(request, response));
}

// A cut agent connection is an unhandled rejection in this runtime, which would end the process.
process.on("unhandledRejection", () => {});
const { log } = console;
console.log = console.warn = console.error = console.debug = () => {};

const server = createServer(serve);
server.listen(0, "127.0.0.1", () => log(server.address().port));
