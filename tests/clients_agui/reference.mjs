// The real Node runtime in front of AG-UI agents at <base><agent>, at /rest and at /single. Prints its port.
//
// Usage: node reference.mjs [--as-shipped] <base> <agent> ...
import { createServer } from "node:http";
import { HttpAgent } from "@ag-ui/client";
import { CopilotRuntime } from "@copilotkit/runtime/v2";
import { createCopilotNodeListener } from "@copilotkit/runtime/v2/node";

const words = process.argv.slice(2);
const asShipped = words[0] === "--as-shipped" && words.shift();
const [base, ...names] = words;
const agents = Object.fromEntries(names.map((name) => [name, new HttpAgent({ url: base + name })]));
const runtime = new CopilotRuntime({ agents });
const listener = (basePath, mode) => createCopilotNodeListener({ runtime, basePath, mode });
const listeners = { rest: listener("/rest", "multi-route"), single: listener("/single", "single-route") };

// A cut agent connection is an unhandled rejection in this runtime, which ends the process.
if (!asShipped) process.on("unhandledRejection", () => {});
const { log } = console;
console.log = console.info = console.warn = console.error = console.debug = () => {};

const server = createServer((request, response) => listeners[request.url.split("/")[1]](request, response));
server.listen(0, "127.0.0.1", () => log(server.address().port));
