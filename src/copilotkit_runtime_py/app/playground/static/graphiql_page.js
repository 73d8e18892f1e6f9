// GraphiQL on this endpoint, with examples of CopilotKit's operations, in a frame of the playground.

import { newId } from "./dom.js";
import { RUN_DOCUMENT } from "./graphql_run.js";
import { place, requestHeaders } from "./settings.js";

const endpoint = location.pathname.replace(/\/playground\/[^/]*\/[^/]*$/, "") || "/";
const playground = parent.document.documentElement;
const agent = place.get().agent ?? "default";

const AGENTS = `query availableAgents {
  availableAgents {
    agents {
      id
      name
      description
    }
  }
}
`;
const THREAD = `query loadAgentState($data: LoadAgentStateInput!) {
  loadAgentState(data: $data) {
    threadId
    threadExists
    state
    messages
  }
}
`;

const textMessage = { role: "user", content: "Hello, what can you do?" };
const EXAMPLES = [
  [RUN_DOCUMENT, {
    data: {
      metadata: { requestType: "Chat" },
      threadId: newId(),
      agentSession: { agentName: agent },
      frontend: { actions: [], url: endpoint },
      messages: [{ id: newId(), createdAt: new Date().toISOString(), textMessage }],
    },
    properties: {},
  }],
  [AGENTS, {}],
  [THREAD, { data: { threadId: place.get().threadId ?? "", agentName: agent } }],
];

function start({ React: { createElement }, ReactDOM: { createRoot }, GraphiQL }) {
  const root = createRoot(document.getElementById("graphiql"));
  const fetcher = (request, options) => {
    // GraphiQL keeps the name of the operation that was there before, until it knows the schema.
    const operationName = request.query.includes(request.operationName) ? request.operationName : undefined;
    return GraphiQL.createFetcher({ url: endpoint, headers: requestHeaders() })({ ...request, operationName }, options);
  };
  const defaultTabs = EXAMPLES.map(([query, variables]) => ({ query, variables: JSON.stringify(variables, null, 2) }));
  const settings = {
    fetcher,
    defaultTabs,
    // GraphiQL takes the variables of the first tab from here, until a person has written some.
    variables: sessionStorage.getItem("graphiql:variables") === null ? defaultTabs[0].variables : undefined,
    defaultEditorToolsVisibility: "variables",
    storage: sessionStorage,
  };
  const paint = () => {
    const theme = playground.dataset.theme === "auto" ? "system" : playground.dataset.theme;
    root.render(createElement(GraphiQL, { ...settings, forcedTheme: theme }));
  };
  new MutationObserver(paint).observe(playground, { attributeFilter: ["data-theme"] });
  paint();
}

if (globalThis.GraphiQL) start(globalThis);
else {
  const missing = document.createElement("p");
  missing.textContent = "This installation has no GraphQL editor: it was built without access to npm. Build it again with access.";
  document.getElementById("graphiql").append(missing);
}
