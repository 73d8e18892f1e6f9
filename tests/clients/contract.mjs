// Prints, as JSON, the schema that a CopilotKit runtime serves and the documents that its client sends.
// Usage: node contract.mjs <runtime package> <client package>, in a directory that has both installed.
import { createServer } from "node:http";
import { createRequire } from "node:module";

const require = createRequire(`${process.cwd()}/`);
const [runtimePackage, clientPackage] = process.argv.slice(2);
const { CopilotRuntime, EmptyAdapter, copilotRuntimeNodeHttpEndpoint } = require(runtimePackage);
const { CopilotRuntimeClient } = require(clientPackage);
const { buildClientSchema, getIntrospectionQuery, printSchema } = require("graphql");

const { log } = console;
console.log = console.warn = console.error = console.debug = () => {};

async function listen(handler) {
  const server = createServer(handler);
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  return [server, `http://127.0.0.1:${server.address().port}/`];
}

async function schemaOf() {
  const options = { runtime: new CopilotRuntime(), serviceAdapter: new EmptyAdapter(), endpoint: "/" };
  const [server, url] = await listen(copilotRuntimeNodeHttpEndpoint(options));
  const query = getIntrospectionQuery({ inputValueDeprecation: true, specifiedByUrl: true });
  const headers = { "content-type": "application/json", accept: "application/json" };
  const response = await fetch(url, { method: "POST", headers, body: JSON.stringify({ query }) });
  const { data } = await response.json();
  server.close();
  return printSchema(buildClientSchema(data));
}

async function documentsOf() {
  const documents = [];
  const [server, url] = await listen(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    documents.push(JSON.parse(body).query);
    response.setHeader("content-type", "application/json");
    response.end('{"data":{}}');
  });
  const client = new CopilotRuntimeClient({ url });
  await client.availableAgents().toPromise();
  await client.loadAgentState({ threadId: "t", agentName: "a" }).toPromise();
  await client.generateCopilotResponse({ data: {}, properties: {} }).toPromise();
  server.close();
  return documents;
}

log(JSON.stringify({ schema: await schemaOf(), documents: await documentsOf() }));
process.exit(0);
