const query = new URLSearchParams(window.location.search);

/** What the URL of the page asks for. */
export const settings = {
  runtimeUrl: query.get("runtimeUrl") ?? "/api/copilotkit",
  threadId: query.get("threadId") ?? undefined,
  agent: query.get("agent") ?? "demo",
  /** Undefined: the client finds out how to talk to the server. */
  useSingleEndpoint: query.get("transport") === "single" ? true : undefined,
  /** The page asks its user before it lets the agent change its colour. */
  asksFirst: query.has("asksFirst"),
  /** The page offers the agent no tool (v2 only). */
  noTools: query.has("noTools"),
  /** The page offers the agent a tool that shows a haiku in the chat (v2 only). */
  showsHaiku: query.has("showsHaiku"),
  headers: { Authorization: "Bearer page-token", "X-Tenant": "acme" },
  properties: { plan: "gold" },
};
