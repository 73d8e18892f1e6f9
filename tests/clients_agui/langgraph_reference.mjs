// The real Node runtime in front of the graphs of a LangGraph server, at /rest and at /single. Prints its port.
//
// Usage: node langgraph_reference.mjs <url> <graph> ...
import { createServer } from "node:http";
import { LangGraphAgent } from "@copilotkit/runtime/langgraph";
import { CopilotRuntime } from "@copilotkit/runtime/v2";
import { createCopilotNodeListener } from "@copilotkit/runtime/v2/node";

const [deploymentUrl, ...graphs] = process.argv.slice(2);
const agents = Object.fromEntries(graphs.map((graphId) => [graphId, new LangGraphAgent({ deploymentUrl, graphId })]));
const runtime = new CopilotRuntime({ agents });
const listener = (basePath, mode) => createCopilotNodeListener({ runtime, basePath, mode });
const listeners = { rest: listener("/rest", "multi-route"), single: listener("/single", "single-route") };

process.on("unhandledRejection", () => {});
const { log } = console;
console.log = console.info = console.warn = console.error = console.debug = () => {};

const server = createServer((request, response) => listeners[request.url.split("/")[1]](request, response));
server.listen(0, "127.0.0.1", () => log(server.address().port));
