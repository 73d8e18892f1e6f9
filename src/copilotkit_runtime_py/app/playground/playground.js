"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const endpoint = location.pathname;
  const ACCEPT = "application/graphql-response+json, application/json, multipart/mixed";
  const HIGHLIGHT_LIMIT = 200_000; // characters; beyond it colours cost more than they tell
  const SHOWN_PARTS = 1000;

  let running = null; // the AbortController of the request under way
  let agent = "default";
  let lastThread = null;

  // ---- colours ---------------------------------------------------------------------------------------

  const GRAPHQL = /(#.*)|("""[\s\S]*?"""|"(?:\\.|[^"\\\n])*"?)|(\b(?:query|mutation|subscription|fragment|on|true|false|null)\b|[@$][A-Za-z_]\w*)|(-?\b\d+(?:\.\d+)?\b)/g;
  const JSON_TOKENS = /(\u0000)|("(?:\\.|[^"\\\n])*"(?!\s*:))|("(?:\\.|[^"\\\n])*"(?=\s*:))|(-?\b\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\b|\b(?:true|false|null)\b)/g;
  const CLASSES = ["c", "s", "k", "n"];

  function colour(target, text, tokens) {
    if (text.length > HIGHLIGHT_LIMIT) {
      target.textContent = text;
      return;
    }
    const pieces = document.createDocumentFragment();
    let end = 0;
    for (const match of text.matchAll(tokens)) {
      pieces.append(text.slice(end, match.index));
      const span = document.createElement("span");
      span.className = CLASSES[match.slice(1).findIndex((group) => group !== undefined)];
      span.textContent = match[0];
      pieces.append(span);
      end = match.index + match[0].length;
    }
    pieces.append(text.slice(end));
    target.replaceChildren(pieces);
  }

  const inline = (value) => JSON.stringify(value, null, 1).replace(/\n */g, " ");

  /** JSON over several lines, with a list of plain values (a message's chunks) on one. */
  function pretty(value, indent = "") {
    const container = value !== null && typeof value === "object";
    const plain = Array.isArray(value) && value.every((each) => each === null || typeof each !== "object");
    if (!container || plain || !Object.keys(value).length) return inline(value);
    const deeper = indent + "  ";
    const lines = Object.entries(value).map(([key, each]) =>
      deeper + (Array.isArray(value) ? "" : `${JSON.stringify(key)}: `) + pretty(each, deeper));
    const [open, close] = Array.isArray(value) ? "[]" : "{}";
    return `${open}\n${lines.join(",\n")}\n${indent}${close}`;
  }

  // ---- editors ---------------------------------------------------------------------------------------

  function editor(id, tokens) {
    const area = $(id);
    const backdrop = area.previousElementSibling;
    let tabLeaves = false;
    const paint = () => {
      colour(backdrop, area.value + "\n", tokens);
      follow();
    };
    const follow = () => {
      backdrop.scrollTop = area.scrollTop;
      backdrop.scrollLeft = area.scrollLeft;
    };
    area.addEventListener("input", paint);
    area.addEventListener("input", remember);
    area.addEventListener("scroll", follow);
    area.addEventListener("focus", () => { tabLeaves = false; });
    area.addEventListener("keydown", (event) => {
      const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
      if (event.key === "Escape") {
        tabLeaves = true;
      } else if (event.key === "Tab" && plain && !event.shiftKey && !tabLeaves) {
        event.preventDefault();
        insert(area, "  ");
      } else if (event.key === "Tab" && plain && event.shiftKey && !tabLeaves && outdent(area)) {
        event.preventDefault();
      } else if (event.key === "Enter" && plain && !event.shiftKey) {
        event.preventDefault();
        newline(area);
      } else if (event.key !== "Shift" && event.key !== "Tab") {
        tabLeaves = false;
      }
    });
    return {
      area,
      get value() { return area.value; },
      set value(text) {
        area.value = text;
        area.setSelectionRange(0, 0);
        paint();
      },
    };
  }

  function insert(area, text) {
    // execCommand is the one way that keeps the browser's undo history.
    if (!document.execCommand("insertText", false, text)) {
      area.setRangeText(text, area.selectionStart, area.selectionEnd, "end");
      area.dispatchEvent(new Event("input"));
    }
  }

  function lineBefore(area) {
    const start = area.value.lastIndexOf("\n", area.selectionStart - 1) + 1;
    return area.value.slice(start, area.selectionStart);
  }

  function newline(area) {
    const before = lineBefore(area);
    const indent = before.match(/^[ \t]*/)[0];
    const opens = /[{([]\s*$/.test(before);
    const closes = /^[})\]]/.test(area.value.slice(area.selectionEnd));
    insert(area, "\n" + indent + (opens ? "  " : ""));
    if (opens && closes) {
      const caret = area.selectionStart;
      insert(area, "\n" + indent);
      area.setSelectionRange(caret, caret);
    }
  }

  function outdent(area) {
    const before = lineBefore(area);
    const spaces = Math.min(2, before.match(/^ */)[0].length);
    if (!spaces || area.selectionStart !== area.selectionEnd) return false;
    const caret = area.selectionStart;
    const start = caret - before.length;
    area.setSelectionRange(start, start + spaces);
    document.execCommand("delete");
    area.setSelectionRange(caret - spaces, caret - spaces);
    return true;
  }

  // ---- tabs ------------------------------------------------------------------------------------------

  function select(tab) {
    for (const other of tab.parentElement.querySelectorAll("[role=tab]")) {
      const chosen = other === tab;
      other.setAttribute("aria-selected", String(chosen));
      other.tabIndex = chosen ? 0 : -1;
      $(other.getAttribute("aria-controls")).hidden = !chosen;
    }
  }

  for (const list of document.querySelectorAll("[role=tablist]")) {
    const tabs = [...list.querySelectorAll("[role=tab]")];
    list.addEventListener("click", (event) => {
      const tab = event.target.closest("[role=tab]");
      if (tab) select(tab);
    });
    list.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = tabs[(tabs.indexOf(document.activeElement) + step + tabs.length) % tabs.length];
      select(next);
      next.focus();
    });
  }

  // ---- requests --------------------------------------------------------------------------------------

  async function send(body, signal, headers = {}) {
    return fetch(endpoint, {
      method: "POST",
      headers: { "content-type": "application/json", accept: ACCEPT, ...headers },
      body: JSON.stringify(body),
      signal,
    });
  }

  /** Yields the JSON bodies of a multipart response as they arrive, or the one body of a plain one. */
  async function* bodies(response) {
    const type = response.headers.get("content-type") ?? "";
    if (!type.startsWith("multipart/mixed")) {
      yield await response.text();
      return;
    }
    const boundary = /boundary="?([^";]+)"?/.exec(type)?.[1] ?? "-";
    const delimiter = `\r\n--${boundary}`;
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let buffer = "\r\n";
    let started = false;
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      buffer += value;
      let at;
      while ((at = buffer.indexOf(delimiter)) >= 0) {
        const part = buffer.slice(0, at);
        buffer = buffer.slice(at + delimiter.length);
        if (started) yield part.slice(part.indexOf("\r\n\r\n") + 4);
        started = true;
      }
      if (started && buffer.startsWith("--")) return;
    }
  }

  function parent(data, path) {
    return path.slice(0, -1).reduce((value, key) => value?.[key], data);
  }

  function fold(target, source) {
    for (const [key, value] of Object.entries(source)) {
      const both = value !== null && typeof value === "object" && !Array.isArray(value) && target[key];
      if (both && typeof target[key] === "object") fold(target[key], value);
      else target[key] = value;
    }
  }

  /** Applies one payload of incremental delivery (`path` with `items` or `data`) to the result so far. */
  function merge(result, payload) {
    const { incremental = [], hasNext, ...rest } = payload;
    if ("data" in rest && !("path" in rest)) Object.assign(result, rest);
    else if (rest.errors) (result.errors ??= []).push(...rest.errors);
    for (const { path, items, data, errors } of incremental) {
      if (errors) (result.errors ??= []).push(...errors);
      if (items) {
        const list = parent(result.data, path);
        items.forEach((item, offset) => { list[path.at(-1) + offset] = item; });
      } else if (data) {
        const target = path.reduce((value, key) => value?.[key], result.data);
        if (target) fold(target, data);
      }
    }
    return result;
  }

  // ---- running ---------------------------------------------------------------------------------------

  const query = editor("query", GRAPHQL);
  const variables = editor("variables", JSON_TOKENS);
  const requestHeaders = editor("headers", JSON_TOKENS);

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
      const response = await send(body, controller.signal, headers);
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

  // ---- examples --------------------------------------------------------------------------------------

  const id = () => (crypto.randomUUID ? crypto.randomUUID() : String(Date.now()));

  const EXAMPLES = {
    "generateCopilotResponse: stream a reply": () => [
      `mutation generateCopilotResponse($data: GenerateCopilotResponseInput!, $properties: JSONObject) {
  generateCopilotResponse(data: $data, properties: $properties) {
    threadId
    runId
    ... on CopilotResponse @defer {
      status {
        ... on BaseResponseStatus { code }
        ... on FailedResponseStatus { reason details }
      }
    }
    messages @stream {
      __typename
      ... on BaseMessageOutput { id createdAt }
      ... on BaseMessageOutput @defer {
        status {
          ... on SuccessMessageStatus { code }
          ... on FailedMessageStatus { code reason }
          ... on PendingMessageStatus { code }
        }
      }
      ... on TextMessageOutput { role content @stream }
      ... on ActionExecutionMessageOutput { name arguments @stream }
      ... on ResultMessageOutput { actionName actionExecutionId result }
      ... on AgentStateMessageOutput { agentName nodeName running state }
    }
    metaEvents @stream {
      ... on LangGraphInterruptEvent { type name value }
    }
  }
}
`,
      {
        data: {
          metadata: { requestType: "Chat" },
          agentSession: { agentName: agent },
          frontend: { actions: [], url: location.href },
          messages: [
            {
              id: id(),
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
    try {
      sessionStorage.setItem("playground", JSON.stringify([query.value, variables.value]));
    } catch { /* the page works without a memory */ }
  }

  function recall() {
    try {
      const [text, values] = JSON.parse(sessionStorage.getItem("playground"));
      query.value = text;
      variables.value = values;
      return true;
    } catch {
      return false;
    }
  }

  // ---- schema ----------------------------------------------------------------------------------------

  const TYPE = "kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } }";
  const INPUT = `name description defaultValue type { ${TYPE} }`;
  const INTROSPECTION = `query { __schema { queryType { name } mutationType { name } types {
    kind name description
    fields(includeDeprecated: true) { name description isDeprecated args { ${INPUT} } type { ${TYPE} } }
    inputFields { ${INPUT} } enumValues { name } possibleTypes { name } } } }`;

  function typeText(type) {
    if (type.kind === "NON_NULL") return `${typeText(type.ofType)}!`;
    if (type.kind === "LIST") return `[${typeText(type.ofType)}]`;
    return type.name;
  }

  function typeName(type) {
    return type.ofType ? typeName(type.ofType) : type.name;
  }

  function link(type) {
    const made = document.createElement("button");
    made.type = "button";
    made.className = "link";
    made.textContent = typeText(type);
    made.addEventListener("click", () => {
      $("filter").value = "";
      filter();
      const details = $(`type-${typeName(type)}`);
      details.open = true;
      details.scrollIntoView({ block: "start" });
      details.querySelector("summary").focus();
    });
    return made;
  }

  function field(each) {
    const item = document.createElement("li");
    const code = document.createElement("code");
    code.append(each.name);
    if (each.args?.length) {
      code.append("(");
      each.args.forEach((arg, index) => code.append(index ? ", " : "", `${arg.name}: `, link(arg.type)));
      code.append(")");
    }
    if (each.type) code.append(": ", link(each.type));
    if (each.defaultValue) code.append(` = ${each.defaultValue}`);
    item.append(code);
    if (each.isDeprecated) item.append(" (deprecated)");
    if (each.description) item.title = each.description;
    return item;
  }

  function typeDetails(type, open) {
    const details = document.createElement("details");
    details.id = `type-${type.name}`;
    details.open = open;
    const summary = document.createElement("summary");
    const kind = document.createElement("small");
    kind.textContent = type.kind.toLowerCase().replace("_", " ");
    summary.append(type.name, kind);
    details.append(summary);
    if (type.description) {
      const text = document.createElement("p");
      text.textContent = type.description;
      details.append(text);
    }
    const list = document.createElement("ul");
    for (const each of type.fields ?? type.inputFields ?? type.enumValues ?? []) list.append(field(each));
    for (const each of type.possibleTypes ?? []) list.append(field({ name: "", type: { kind: "OBJECT", name: each.name } }));
    if (list.children.length) details.append(list);
    return details;
  }

  async function loadSchema() {
    $("types").textContent = "Loading…";
    try {
      const answer = await (await send({ query: INTROSPECTION })).json();
      if (!answer.data) throw new Error(answer.errors?.[0]?.message ?? "no schema");
      const schema = answer.data.__schema;
      const roots = [schema.queryType?.name, schema.mutationType?.name];
      const rank = (type) => (roots.includes(type.name) ? roots.indexOf(type.name) : roots.length);
      const types = schema.types.filter((type) => !type.name.startsWith("__"));
      types.sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name));
      $("types").replaceChildren(...types.map((type) => typeDetails(type, roots.includes(type.name))));
      return true;
    } catch (error) {
      $("types").textContent = `The schema cannot be read: ${error.message}`;
      return false;
    }
  }

  function filter() {
    const word = $("filter").value.trim().toLowerCase();
    for (const details of $("types").querySelectorAll("details")) {
      details.hidden = Boolean(word) && !details.textContent.toLowerCase().includes(word);
    }
  }

  let schemaLoaded = null;

  async function toggleSchema(open) {
    $("docs").hidden = !open;
    $("docs-toggle").setAttribute("aria-expanded", String(open));
    if (!open) {
      $("docs-toggle").focus();
      return;
    }
    schemaLoaded ??= loadSchema();
    if (!(await schemaLoaded)) schemaLoaded = null;
    $("filter").focus();
  }

  // ---- start -----------------------------------------------------------------------------------------

  for (const name of Object.keys(EXAMPLES)) $("examples").append(new Option(name.split(":")[0], name));
  $("examples").addEventListener("change", () => show($("examples").value));
  $("run").addEventListener("click", run);
  $("docs-toggle").addEventListener("click", () => toggleSchema($("docs").hidden));
  $("docs-close").addEventListener("click", () => toggleSchema(false));
  $("filter").addEventListener("input", filter);
  $("docs").addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      event.stopPropagation();
      toggleSchema(false);
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      if (!running) run();
    } else if (event.key === "Escape" && running) {
      running.abort();
    }
  });

  async function start() {
    if (recall()) return;
    show(Object.keys(EXAMPLES)[0]);
    const untouched = query.value;
    try {
      const answer = await (await send({ query: "{ availableAgents { agents { name } } }" })).json();
      agent = answer.data.availableAgents.agents[0]?.name ?? agent;
    } catch {
      return;
    }
    if (query.value === untouched) show(Object.keys(EXAMPLES)[0]);
  }

  start();
})();
