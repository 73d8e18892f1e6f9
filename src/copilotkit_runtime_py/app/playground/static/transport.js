// The public wire: REST paths, single-route envelopes, and GraphQL, each with the headers that are set.

import { requestHeaders, wire } from "./settings.js";

/** The runtime's URL: where the page itself is. */
export const endpoint = location.pathname;

const base = endpoint.replace(/\/+$/, "");
const JSON_TYPE = { "content-type": "application/json" };
const GRAPHQL_ACCEPT = "application/graphql-response+json, application/json, multipart/mixed";

/**
 * Listeners for requests. Each gets a name and a body, and returns a function for the outcome: a status or a word,
 * milliseconds until the headers of the response, and whether it failed.
 */
export const watchers = new Set();

async function ask(method, address, { body, headers = {}, signal } = {}) {
  const name = `${method} ${body?.operationName ?? body?.method ?? (address.slice(base.length) || address)}`;
  const start = performance.now();
  const settled = [...watchers].map((watch) => watch(name, body));
  const settle = (result, failed) => settled.forEach((each) => each(result, performance.now() - start, failed));
  let response;
  try {
    response = await fetch(address, {
      method,
      signal,
      headers: { accept: "application/json", ...(body ? JSON_TYPE : {}), ...requestHeaders(), ...headers },
      body: body ? JSON.stringify(body) : undefined,
    });
  } catch (error) {
    settle(signal?.aborted ? "cancelled" : "no response", !signal?.aborted);
    throw error;
  }
  settle(response.status, !response.ok);
  return response;
}

const PATHS = {
  info: () => ["GET", "/info"],
  "agent/run": ({ agentId }) => ["POST", `/agent/${encodeURIComponent(agentId)}/run`],
  "agent/connect": ({ agentId }) => ["POST", `/agent/${encodeURIComponent(agentId)}/connect`],
  "agent/suggest": ({ agentId }) => ["POST", `/agent/${encodeURIComponent(agentId)}/suggest`],
  "agent/stop": ({ agentId, threadId }) =>
    ["POST", `/agent/${encodeURIComponent(agentId)}/stop/${encodeURIComponent(threadId)}`],
};

/** Calls an operation of the AG-UI contract, by its path or by an envelope, as the page is set. */
export function call(method, params = {}, { body, headers, signal } = {}) {
  if (wire.get() === "single") return ask("POST", endpoint, { body: { method, params, body }, headers, signal });
  const [verb, path] = PATHS[method](params);
  return ask(verb, base + path, { body, headers, signal });
}

/** Calls an operation on threads; throws what the server answers if it refuses. */
export async function resource(httpMethod, path, body) {
  const response = wire.get() === "single"
    ? await ask("POST", endpoint, { body: { method: "resource/request", params: { path, httpMethod }, body } })
    : await ask(httpMethod, base + path, { body });
  if (!response.ok) throw new Error(await refusal(response));
  return response.json();
}

export const graphql = (body, { signal, headers } = {}) =>
  ask("POST", endpoint, { body, signal, headers: { accept: GRAPHQL_ACCEPT, ...headers } });

/** The error message of a response that is not successful. */
export async function refusal(response) {
  const text = await response.text();
  try {
    const { message, error, details, errors } = JSON.parse(text);
    return String(message ?? errors?.[0]?.message ?? [error, details].filter(Boolean).join(": "));
  } catch {
    return `HTTP ${response.status}: ${text.slice(0, 300)}`;
  }
}
