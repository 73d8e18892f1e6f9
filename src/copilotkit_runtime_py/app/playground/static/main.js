// The start of the page: agents, views, settings and shortcuts.

import { Chat } from "./chat.js";
import { $, announce, el } from "./dom.js";
import { enablePanes } from "./panes.js";
import { Session } from "./session.js";
import { header, place, theme, THEMES, wire } from "./settings.js";
import { StateView } from "./state.js";
import { enableTabs, select } from "./tabs.js";
import { Threads } from "./threads.js";
import { Timeline } from "./timeline.js";
import { call, refusal, watchers } from "./transport.js";

const session = new Session();
const timeline = new Timeline();
const threads = new Threads(session, () => drawer(null));
new Chat(session);
new StateView(session);

session.addEventListener("frame", ({ detail }) => timeline.add(detail));
watchers.add((name, body) => timeline.request(body?.query ? "GraphQL" : "AG-UI", name, body));

// ---- agents --------------------------------------------------------------------------------------

async function readAgents() {
  try {
    const response = await call("info");
    if (!response.ok) throw new Error(await refusal(response));
    const { agents } = await response.json();
    const names = Object.keys(agents);
    // `default` is another name of an agent that is listed, where there is one.
    const shown = names.length > 1 ? names.filter((name) => name !== "default") : names;
    $("agents").replaceChildren(...shown.map((name) => new Option(name, name)));
    for (const option of $("agents").options) option.title = agents[option.value].description ?? "";
    notice(shown.length ? "" : "No agent is registered.");
    return shown;
  } catch (error) {
    notice(`Could not load the agents: ${error.message}`);
    return [];
  }
}

function notice(text) {
  $("notice").textContent = text;
  $("notice").hidden = !text;
}

let agents = [];

async function start() {
  agents = await readAgents();
  arrive();
  $("agents").value = session.agent;
  threads.refresh();
}

$("agents").addEventListener("change", () => session.begin($("agents").value));
session.addEventListener("change", () => {
  if (session.agent && $("agents").value !== session.agent) $("agents").value = session.agent;
});

// ---- the address ---------------------------------------------------------------------------------

const GRAPHQL = "#graphql";
let arriving = false; // the address is followed, and not made

/** Shows the thread that the address names, else the one that this tab has shown last. */
function arrive() {
  const named = new URLSearchParams(location.hash.slice(1));
  const { agent, threadId } = named.has("thread") ? { agent: named.get("agent"), threadId: named.get("thread") } : place.get();
  if (session.agent && threadId === session.conversation.threadId) return;
  arriving = true;
  if (agents.includes(agent) && threadId) session.open(agent, threadId);
  else session.begin(agents[0] ?? null);
  arriving = false;
}

function goTo(hash) {
  if (hash === location.hash) return;
  if (arriving) history.replaceState(null, "", hash);
  else history.pushState(null, "", hash);
}

const chatAddress = () => `#${new URLSearchParams({ agent: session.agent ?? "", thread: session.conversation.threadId })}`;

session.addEventListener("moved", () => { if (!$("view-chat").hidden) goTo(chatAddress()); });
addEventListener("popstate", () => {
  arriving = true;
  select($(location.hash === GRAPHQL ? "tab-graphql" : "tab-chat"));
  if (location.hash !== GRAPHQL) arrive();
  arriving = false;
});

// ---- views ---------------------------------------------------------------------------------------

const narrow = matchMedia("(max-width: 1100px)");

function drawer(name) {
  document.body.dataset.drawer = name ?? "";
  $("threads-toggle").setAttribute("aria-expanded", String(name === "threads"));
  $("inspector-toggle").setAttribute("aria-expanded", String(name === "inspector"));
}

function toggleDrawer(name) {
  const open = document.body.dataset.drawer !== name;
  drawer(open ? name : null);
  if (open) $(name).querySelector("button, input, [tabindex='0']")?.focus();
}

function begin() {
  drawer(null);
  session.begin($("agents").value || null);
  $("composer-text").focus();
  announce("New thread.");
}

// GraphiQL is large, so it is loaded when its tab is first opened.
function showGraphQL() {
  if ($("view-graphql").firstChild) return;
  $("view-graphql").append(el("iframe", { title: "GraphQL editor", src: new URL("graphiql.html", import.meta.url) }));
}

enableTabs();
$("tab-graphql").addEventListener("tab", showGraphQL);
enablePanes();
if (location.hash === GRAPHQL) select($("tab-graphql"));
$("views").addEventListener("tab", ({ target }) => { if (!arriving) goTo(target.id === "tab-graphql" ? GRAPHQL : chatAddress()); });
$("threads-toggle").addEventListener("click", () => toggleDrawer("threads"));
$("inspector-toggle").addEventListener("click", () => toggleDrawer("inspector"));
$("scrim").addEventListener("click", () => drawer(null));
for (const button of document.querySelectorAll(".close-drawer")) button.addEventListener("click", () => drawer(null));
$("new-thread").addEventListener("click", begin);

// ---- settings ------------------------------------------------------------------------------------

function paintTheme() {
  $("theme").dataset.theme = theme.get();
  $("theme").setAttribute("aria-label", `Theme: ${theme.get()}`);
  $("theme").title = `Theme: ${theme.get()}`;
}

new MutationObserver(paintTheme).observe(document.documentElement, { attributeFilter: ["data-theme"] });
$("theme").addEventListener("click", () => theme.set(THEMES[(THEMES.indexOf(theme.get()) + 1) % THEMES.length]));
$("wire").value = wire.get();
$("wire").addEventListener("change", () => wire.set($("wire").value));

function paintHeader() {
  $("header-button").classList.toggle("set", Boolean(header.get().value));
}

$("header-button").addEventListener("click", () => {
  const { name, value } = header.get();
  $("header-name").value = name;
  $("header-value").value = value;
  $("header-dialog").showModal();
});
$("header-form").addEventListener("submit", () => {
  header.set({ name: $("header-name").value.trim(), value: $("header-value").value.trim() });
  paintHeader();
  start();
});
$("header-remove").addEventListener("click", () => { $("header-value").value = ""; });
$("help-button").addEventListener("click", () => $("help").showModal());
for (const button of document.querySelectorAll("dialog .cancel")) button.addEventListener("click", () => button.closest("dialog").close());

// ---- shortcuts -----------------------------------------------------------------------------------

const typing = (target) => target.closest("input, textarea, select, [contenteditable]");

const SHORTCUTS = {
  "/": () => $("composer-text").focus(),
  KeyN: begin,
  KeyT: () => (narrow.matches ? toggleDrawer("threads") : $("thread-list").querySelector(".open")?.focus()),
  KeyE: () => inspect("tab-events", "timeline-filter"),
  KeyS: () => inspect("tab-state", "state-edit"),
};

function inspect(tab, target) {
  if (narrow.matches) drawer("inspector");
  select($(tab));
  $(target).focus();
}

document.addEventListener("keydown", (event) => {
  if (document.querySelector("dialog[open]")) return;
  if (event.key === "Escape") {
    if (document.body.dataset.drawer) drawer(null);
    else if ($("view-chat").hidden) return;
    else if (typing(event.target) && event.target !== $("composer-text")) event.target.blur();
    else if (session.conversation.running) session.stop();
    return;
  }
  if (event.ctrlKey || event.metaKey) return;
  if (event.key === "?" && !typing(event.target)) return $("help").showModal();
  // With Alt the key may be any letter, so the place on the keyboard counts.
  const name = event.altKey ? event.code : typing(event.target) ? "" : event.key;
  if (!Object.hasOwn(SHORTCUTS, name)) return;
  event.preventDefault();
  if ($("view-chat").hidden) select($("tab-chat"));
  SHORTCUTS[name]();
});

paintTheme();
paintHeader();
start();
