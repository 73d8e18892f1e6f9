// The GraphQL editor: running an operation, and the examples.

import { colour, GRAPHQL, inline, JSON_TOKENS, pretty } from "./colour.js";
import { $, newId } from "./dom.js";
import { editor } from "./editor.js";
import { RUN_DOCUMENT } from "./graphql_run.js";
import { bodies, merge } from "./multipart.js";
import { filterSchema, toggleSchema } from "./schema.js";
import { graphqlText } from "./settings.js";
import { select } from "./tabs.js";
import { graphql } from "./transport.js";

const SHOWN_PARTS = 1000;

let running = null; // the AbortController of the request under way
let agent = "default";
let lastThread = null;

const query = editor("query", GRAPHQL, remember);
const variables = editor("variables", JSON_TOKENS, remember);
const requestHeaders = editor("headers", JSON_TOKENS, () => {});

function status(text, bad = false) {
  $("status").textContent = text;
  $("status").classList.toggle("bad", bad);
}

function object(source, tab, name) {
  if (!source.value.trim()) return {};
  try {
    const value = JSON.parse(source.value);
    if (value !== null && typeof value === "object" && !Array.isArray(value)) return value;
  } catch { /* told below */ }
  select($(tab));
  source.area.focus();
  throw new SyntaxError(`${name} are not a JSON object`);
}

/** The name of the operation that the caret is in, where the document has several. */
function operationName() {
  const operations = [...query.value.matchAll(/^\s*(?:query|mutation|subscription)\s+(\w+)/gm)];
  if (operations.length < 2) return undefined;
  const caret = query.area.selectionStart;
  return (operations.findLast((each) => each.index <= caret) ?? operations[0])[1];
}

function view() {
  const result = {};
  const start = performance.now();
  let parts = 0;
  let scheduled = false;
  const paint = () => {
    scheduled = false;
    colour($("merged"), pretty(result), JSON_TOKENS);
  };
  $("parts").replaceChildren();
  $("merged").replaceChildren();
  $("count").textContent = "";
  return {
    seconds: () => ((performance.now() - start) / 1000).toFixed(2),
    get parts() { return parts; },
    result,
    paint,
    add(text) {
      parts += 1;
      $("count").textContent = `(${parts})`;
      const payload = JSON.parse(text);
      merge(result, payload);
      if (parts <= SHOWN_PARTS) {
        const item = document.createElement("li");
        const time = document.createElement("time");
        time.textContent = `${Math.round(performance.now() - start)} ms`;
        const body = document.createElement("pre");
        colour(body, inline(payload), JSON_TOKENS);
        item.append(time, body);
        $("parts").append(item);
      }
      if (!scheduled) {
        scheduled = true;
        requestAnimationFrame(paint);
      }
    },
  };
}

async function run() {
  if (running) {
    running.abort();
    return;
  }
  let body, headers;
  try {
    body = { query: query.value, variables: object(variables, "tab-variables", "The variables") };
    headers = object(requestHeaders, "tab-headers", "The headers");
  } catch (error) {
    status(error.message, true);
    return;
  }
  const name = operationName();
  if (name) body.operationName = name;
  const shown = view();
  const controller = (running = new AbortController());
  button(true);
  status("Waiting…");
  try {
    const response = await graphql(body, { signal: controller.signal, headers });
    for await (const text of bodies(response)) {
      try {
        shown.add(text);
      } catch {
        $("merged").textContent = text;
        throw new Error(`HTTP ${response.status}, and the answer is not JSON`);
      }
      status(`Streaming, ${shown.seconds()} s`);
    }
    shown.paint();
    const failed = !response.ok || shown.result.errors;
    const parts = shown.parts > 1 ? ` in ${shown.parts} parts` : "";
    status(`HTTP ${response.status}${parts}, ${shown.seconds()} s`, Boolean(failed));
    lastThread = shown.result.data?.generateCopilotResponse?.threadId ?? lastThread;
  } catch (error) {
    status(controller.signal.aborted ? `Stopped after ${shown.seconds()} s` : error.message, !controller.signal.aborted);
  } finally {
    running = null;
    button(false);
  }
}

function button(busy) {
  $("run").textContent = busy ? "Stop" : "Run";
  $("run").title = busy ? "Esc" : "Ctrl+Enter";
  $("run").classList.toggle("stop", busy);
}

const EXAMPLES = {
  "generateCopilotResponse: stream a reply": () => [
    RUN_DOCUMENT,
    {
      data: {
        metadata: { requestType: "Chat" },
        agentSession: { agentName: agent },
        frontend: { actions: [], url: location.href },
        messages: [
          {
            id: newId(),
            createdAt: new Date().toISOString(),
            textMessage: { role: "user", content: "Hello, what can you do?" },
          },
        ],
      },
      properties: {},
    },
  ],
  "availableAgents: list the agents": () => [
    "query availableAgents {\n  availableAgents {\n    agents {\n      id\n      name\n      description\n    }\n  }\n}\n",
    {},
  ],
  "loadAgentState: read a thread": () => [
    `query loadAgentState($data: LoadAgentStateInput!) {
loadAgentState(data: $data) {
  threadId
  threadExists
  state
  messages
}
}
`,
    { data: { threadId: lastThread ?? "the threadId of an earlier reply", agentName: agent } },
  ],
  "hello: is it there?": () => ["query hello {\n  hello\n}\n", {}],
};

function show(name) {
  const [text, values] = EXAMPLES[name]();
  query.value = text;
  variables.value = JSON.stringify(values, null, 2);
  remember();
}

function remember() {
  graphqlText.set([query.value, variables.value]);
}

/** Starts the editor with what was written before, or with an example for an agent. */
export function startGraphQL(firstAgent) {
  agent = firstAgent ?? agent;
  for (const name of Object.keys(EXAMPLES)) $("examples").append(new Option(name.split(":")[0], name));
  const written = graphqlText.get();
  if (written) [query.value, variables.value] = written;
  else show(Object.keys(EXAMPLES)[0]);
  $("examples").addEventListener("change", () => show($("examples").value));
  $("run").addEventListener("click", run);
  $("schema-toggle").addEventListener("click", () => toggleSchema($("schema").hidden));
  $("schema-close").addEventListener("click", () => toggleSchema(false));
  $("schema-filter").addEventListener("input", filterSchema);
  $("schema").addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    toggleSchema(false);
  });
  document.addEventListener("keydown", (event) => {
    if ($("view-graphql").hidden || document.querySelector("dialog[open]")) return;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      if (!running) run();
    } else if (event.key === "Escape" && running) {
      running.abort();
    }
  });
}
