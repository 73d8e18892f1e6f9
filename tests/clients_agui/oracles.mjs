// Asks the real AG-UI clients. One JSON list of requests a line on stdin, one list of answers a line on stdout.
//
// {op: "read", version, body}: gives the text of a response to a client, and returns what it makes of it.
// {op: "patch", document, patch}: returns {document}, or {} if the patch is refused.
// {op: "frames", version, chunks}: returns the events that a client reads from a body that comes in such pieces
// (as base64), and whether it fails.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const require = createRequire(import.meta.url);
const within = (core) => createRequire(require.resolve(core))("@ag-ui/client");
const clients = {
  "1.0.0": require("client-1.0.0"),
  "0.0.59": require("client-0.0.59"),
  "0.0.57": within("core-1.69.0"),
  "0.0.53": within("core-1.56.5"),
};
const { applyPatch } = require("fast-json-patch");
const { Subject } = require("rxjs");
let body = "";
globalThis.fetch = async () => new Response(body, { headers: { "content-type": "text/event-stream" } });
console.log = console.info = console.warn = console.error = console.debug = () => {};
process.on("unhandledRejection", () => {});

const operations = {
  async read({ version, body: text }) {
    const agent = new clients[version].HttpAgent({ url: "http://localhost/", threadId: "t1" });
    const runErrors = [];
    let threw = null;
    body = text;
    const onRunErrorEvent = ({ event }) => void runErrors.push(event.message);
    await agent.runAgent({ runId: "r1" }, { onRunErrorEvent }).catch((error) => (threw = String(error)));
    const { messages, state, pendingInterrupts: interrupts = [] } = agent;
    return { messages, state, interrupts, runErrors, threw };
  },

  patch({ document, patch }) {
    try {
      return { document: applyPatch(document, patch, true, false).newDocument };
    } catch {
      return {};
    }
  },

  frames({ version, chunks }) {
    const events = [];
    let failed = false;
    const source = new Subject();
    const { parseSSEStream } = clients[version];
    parseSSEStream(source).subscribe({ next: (event) => events.push(event), error: () => (failed = true) });
    source.next({ type: "headers", status: 200, headers: new Headers() });
    for (const chunk of chunks) source.next({ type: "data", data: Buffer.from(chunk, "base64") });
    source.complete();
    return { events, failed };
  },
};

const { write } = process.stdout;
for await (const line of createInterface({ input: process.stdin })) {
  const answers = [];
  for (const { op, ...request } of JSON.parse(line)) answers.push(await operations[op](request));
  write.call(process.stdout, JSON.stringify(answers) + "\n");
}
