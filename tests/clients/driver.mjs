// Drives the real GraphQL clients. One JSON request a line on stdin, one JSON answer a line on stdout.
//
// A request is {id, op, version, url, headers?, publicApiKey?, ...}; its answer is {id, result} or {id, error}.
// With `watch`, every emission is told too, as {id, emission: <number>}. {op: "abort", target: <id>} aborts a request.
import { AsyncLocalStorage } from "node:async_hooks";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const VERSIONS = ["1.10.6", "1.8.5", "1.8.14", "1.74.0"];
// By require: under Node's own import, a dependency that repairs partial JSON loses its default export.
const require = createRequire(import.meta.url);
const modules = Object.fromEntries(VERSIONS.map((version) => [version, require(`client-${version}`)]));

const wire = new AsyncLocalStorage();
const aborts = new Map();
const send = (message) => process.stdout.write(JSON.stringify(message) + "\n");

// Keeps what a request sent and the bytes that it got, beside what the client makes of them.
const realFetch = globalThis.fetch;
globalThis.fetch = async (url, init) => {
  const record = wire.getStore();
  if (!record) return realFetch(url, init);
  record.sent = { headers: { ...init.headers }, body: init.body };
  const response = await realFetch(url, init);
  record.status = response.status;
  record.headers = Object.fromEntries(response.headers);
  if (!response.body) return response;
  const decoder = new TextDecoder();
  const listening = new TransformStream({
    transform(chunk, controller) {
      record.body += decoder.decode(chunk, { stream: true });
      controller.enqueue(chunk);
    },
  });
  const { status, statusText, headers } = response;
  return new Response(response.body.pipeThrough(listening), { status, statusText, headers });
};

const problem = (error) => ({
  name: error.name,
  message: error.message,
  errors: (error.graphQLErrors ?? []).map(({ message, extensions, path }) => ({ message, extensions, path })),
});

function open(request, gqlErrors, warnings) {
  const { CopilotRuntimeClient } = modules[request.version];
  return new CopilotRuntimeClient({
    url: request.url,
    headers: request.headers,
    publicApiKey: request.publicApiKey,
    handleGQLErrors: (error) => gqlErrors.push(error.message),
    handleGQLWarning: (warning) => warnings.push(warning),
  });
}

async function collect(stream, request) {
  const result = { emissions: 0 };
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      result.emissions += 1;
      result.final = value;
      if (request.watch) send({ id: request.id, emission: result.emissions });
    }
  } catch (error) {
    result.threw = problem(error);
  }
  return result;
}

function convert(version, final) {
  const { convertGqlOutputToMessages, filterAdjacentAgentStateMessages } = modules[version];
  const output = structuredClone(final?.generateCopilotResponse?.messages ?? []);
  return convertGqlOutputToMessages(filterAdjacentAgentStateMessages(output)).map((message) => ({
    ...message,
    type: message.type,
  }));
}

async function generate(request) {
  const gqlErrors = [];
  const warnings = [];
  const client = open(request, gqlErrors, warnings);
  const controller = new AbortController();
  aborts.set(request.id, () => controller.abort());
  const { data, properties } = request.variables;
  const source = client.generateCopilotResponse({ data, properties, signal: controller.signal });
  const result = await collect(client.asStream(source), request);
  aborts.delete(request.id);
  if (result.final) result.messages = convert(request.version, result.final);
  return { ...result, gqlErrors, warnings };
}

async function ask(request, query) {
  const gqlErrors = [];
  const warnings = [];
  const client = open(request, gqlErrors, warnings);
  const { data, error } = await query(client).toPromise();
  return { data: data ?? null, ...(error ? { threw: problem(error) } : {}), gqlErrors, warnings };
}

async function execute(request) {
  const client = open(request, [], []);
  const source = client.client[request.kind](request.document, request.variables ?? {});
  return collect(client.asStream(source), request);
}

const operations = {
  generateCopilotResponse: generate,
  availableAgents: (request) => ask(request, (client) => client.availableAgents()),
  loadAgentState: (request) => ask(request, (client) => client.loadAgentState(request.variables.data)),
  execute,
};

async function answer(request) {
  if (request.op === "abort") return aborts.get(request.target)?.();
  const record = { body: "" };
  try {
    const result = await wire.run(record, () => operations[request.op](request));
    send({ id: request.id, result: { ...result, wire: record } });
  } catch (error) {
    send({ id: request.id, error: error.stack ?? String(error) });
  }
}

// The clients report a failed stream through the stream and, once more, as an unhandled rejection.
process.on("unhandledRejection", () => {});
console.log = console.warn = console.error = () => {};
createInterface({ input: process.stdin }).on("line", (line) => answer(JSON.parse(line)));
