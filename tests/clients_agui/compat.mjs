// Prints, as JSON, what CopilotKit's packages say: the runtime's GraphQL schema as far as it still has
// one, its /info, the documents of the GraphQL client, and the requests of the AG-UI client.
// Usage: node compat.mjs <runtime package> <GraphQL client> <core package>, where these are installed.
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import "./page.mjs"; // the client asks for nothing where there is no browser

const require = createRequire(`${process.cwd()}/`);
const [runtimePackage, clientPackage, corePackage] = process.argv.slice(2);
const { log } = console;
console.log = console.info = console.warn = console.error = console.debug = () => {};
process.on("unhandledRejection", () => {});

const answer = (threadId) =>
  [
    { type: "RUN_STARTED", threadId, runId: "r1" },
    { type: "TEXT_MESSAGE_START", messageId: "m1", role: "assistant" },
    { type: "TEXT_MESSAGE_CONTENT", messageId: "m1", delta: "ok" },
    { type: "TEXT_MESSAGE_END", messageId: "m1" },
    { type: "RUN_FINISHED", threadId, runId: "r1" },
  ].map((event) => `data: ${JSON.stringify(event)}\n\n`);

/** What differs from run to run: ids and times. */
const ID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi;
const steady = (text) => text.replace(ID, "<id>").replace(/\b\d{13}\b/g, "<time>");

async function listen(handler) {
  const server = createServer(handler);
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  return [server, `http://127.0.0.1:${server.address().port}`];
}

/** Imports an ES module of a package, from where the packages are. */
const load = (name) => import(pathToFileURL(resolveModule(name)).href);
function resolveModule(name) {
  const [, scoped, below] = name.match(/^(@[^/]+\/[^/]+|[^/]+)\/?(.*)$/);
  const folder = join(process.cwd(), "node_modules", scoped);
  const { exports } = require(join(folder, "package.json"));
  let entry = exports[below ? `./${below}` : "."];
  while (typeof entry === "object") entry = entry.import ?? entry.default;
  return join(folder, entry);
}

function schema() {
  const { buildSchema } = require(runtimePackage);
  const { printSchema, lexicographicSortSchema } = require("graphql");
  return buildSchema ? printSchema(lexicographicSortSchema(buildSchema())) : "none";
}

async function documents() {
  const { CopilotRuntimeClient } = require(clientPackage);
  const found = [];
  const [server, url] = await listen(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    found.push(JSON.parse(body).query);
    response.setHeader("content-type", "application/json");
    response.end('{"data":{}}');
  });
  const client = new CopilotRuntimeClient({ url });
  await client.availableAgents().toPromise();
  await client.loadAgentState({ threadId: "t", agentName: "a" }).toPromise();
  await client.generateCopilotResponse({ data: {}, properties: {} }).toPromise();
  server.close();
  return found.join("\n\n") + "\n";
}

/** The runtime before an agent, the client before the runtime: what passes between the two. */
async function exchange(transport) {
  const [agent, agentUrl] = await listen((request, response) => {
    response.setHeader("content-type", "text/event-stream");
    response.end(answer(transport).join(""));
  });
  const { HttpAgent } = require("@ag-ui/client");
  const { CopilotRuntime } = await load(`${runtimePackage}/v2`);
  const { createCopilotNodeListener } = await load(`${runtimePackage}/v2/node`);
  const runtime = new CopilotRuntime({ agents: { default: new HttpAgent({ url: agentUrl }) } });
  const mode = transport === "single" ? "single-route" : "multi-route";
  const listener = createCopilotNodeListener({ runtime, basePath: "/api", mode });
  const requests = [];
  const [server, url] = await listen(listener);

  const realFetch = globalThis.fetch;
  globalThis.fetch = async (target, init = {}) => {
    if (String(target).startsWith(url)) {
      const headers = Object.fromEntries(new Headers(init.headers));
      const body = typeof init.body === "string" ? JSON.parse(init.body) : undefined;
      requests.push({ method: init.method ?? "GET", path: String(target).slice(url.length), headers, body });
    }
    return realFetch(target, init);
  };
  const { CopilotKitCore } = require(corePackage);
  const core = new CopilotKitCore({ runtimeTransport: transport, headers: {} });
  core.setRuntimeUrl(`${url}/api`);
  while (!["connected", "error"].includes(core.runtimeConnectionStatus)) {
    await new Promise((later) => setTimeout(later, 5));
  }
  const page = core.getAgent("default");
  page.threadId = transport; // the runtime keeps threads for the whole process
  await core.connectAgent({ agent: page });
  page.addMessage({ id: "u1", role: "user", content: "hi" });
  await core.runAgent({ agent: page });
  globalThis.fetch = realFetch;

  const asked = transport === "single" ? [{ method: "POST", body: '{"method":"info"}' }, ""] : [{}, "/info"];
  const [init, path] = asked;
  const headers = { "content-type": "application/json" };
  const info = await (await realFetch(`${url}/api${path}`, { ...init, headers })).json();
  for (const each of Object.values(info.agents)) delete each.className; // minified
  server.closeAllConnections();
  server.close();
  agent.close();
  return { info, requests };
}

async function everything() {
  const told = { "schema.graphql": schema(), "operations.graphql": await documents() };
  for (const transport of ["rest", "single"]) {
    const { info, requests } = await exchange(transport);
    told[`info-${transport}.json`] = JSON.stringify(info, null, 2) + "\n";
    told[`requests-${transport}.json`] = steady(JSON.stringify(requests, null, 2)) + "\n";
  }
  return told;
}

try {
  log(JSON.stringify(await everything()));
  process.exit(0);
} catch (error) {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
}
