import type { CopilotKitProps } from "@copilotkit/react-core/v2";
import type { ComponentType } from "react";

/** A feature: a page in `features/` and an agent in `showcase/agents/`, both named after it. */
export interface Feature {
  id: string;
  title: string;
  /** The title above the demo, where the one in the navigation needs its group. */
  heading?: string;
  summary: string;
  /** Files of `showcase/` that belong to it, besides its agent and its page. */
  more?: string[];
}

export interface Group {
  id: string;
  title: string;
  features: Feature[];
}

export interface PageProps {
  /** The thread in the address of the page. */
  threadId: string;
}

export interface FeatureModule {
  default: ComponentType<PageProps>;
  /** What the feature sets on `<CopilotKit>`, besides the URL of the runtime. */
  provider?: Partial<CopilotKitProps>;
}

export const groups: Group[] = [
  {
    id: "chat",
    title: "Chat",
    features: [
      {
        id: "chat",
        title: "Agentic chat",
        summary: "The agent knows what the page shows, and calls a tool that runs in the browser.",
      },
      {
        id: "reasoning",
        title: "Reasoning",
        summary: "The model thinks before it answers, and the page shows its thoughts as they come.",
      },
      {
        id: "suggestions",
        title: "Suggestions",
        summary: "After each answer, the agent suggests what to ask next.",
      },
      {
        id: "attachments",
        title: "Attachments",
        summary: "Pictures and files reach the model as content blocks.",
      },
      {
        id: "voice",
        title: "Voice",
        summary: "A recording becomes text in the chat’s input.",
      },
    ],
  },
  {
    id: "tools",
    title: "Tools and agents",
    features: [
      {
        id: "tool_rendering",
        title: "Tool rendering",
        summary: "A tool runs on the server. The page draws its call and its result as a card.",
      },
      {
        id: "subagents",
        title: "Subagents",
        summary: "An agent hands parts of its work to agents of their own, and the chat shows who does what.",
      },
      {
        id: "multi_agent",
        title: "Multi-agent",
        summary: "Two agents on one page, and the page carries the work from one to the other.",
      },
    ],
  },
  {
    id: "human",
    title: "Human in the loop",
    features: [
      {
        id: "human_by_tool",
        title: "By a tool",
        heading: "Human in the loop by a tool",
        summary: "The agent asks through a tool of the page: its result is what the user decides.",
      },
      {
        id: "human_by_interrupt",
        title: "By an interrupt",
        heading: "Human in the loop by an interrupt",
        summary: "The graph stops inside a tool until the user answers, today or after a restart.",
      },
    ],
  },
  {
    id: "state",
    title: "State",
    features: [
      {
        id: "shared_state",
        title: "Shared state",
        summary: "The user and the agent edit one recipe, and each sees the other’s changes.",
      },
      {
        id: "predictive_state",
        title: "Predictive state",
        summary: "The document appears while the model still writes the call that changes it.",
      },
    ],
  },
  {
    id: "generative",
    title: "Generative UI",
    features: [
      {
        id: "tool_ui",
        title: "Tool-based",
        heading: "Tool-based generative UI",
        summary: "The agent calls a component of the page: its arguments become a chart.",
      },
      {
        id: "agentic_ui",
        title: "Agentic",
        heading: "Agentic generative UI",
        summary: "The agent’s state is drawn in the chat as it works.",
      },
      {
        id: "a2ui_fixed",
        title: "A2UI, fixed",
        heading: "A2UI with a fixed layout",
        summary: "A tool fills a layout that was written once. A click on it reaches the agent.",
      },
      {
        id: "a2ui_dynamic",
        title: "A2UI, dynamic",
        heading: "A2UI with a layout of the model",
        summary: "The model composes a surface of the page’s components, which grows as it writes.",
      },
      {
        id: "a2ui_recovery",
        title: "A2UI, recovery",
        summary: "An invalid surface is not shown: the model learns why, and draws it again.",
      },
      {
        id: "mcp_apps",
        title: "MCP Apps",
        summary: "A tool of an MCP server brings its own user interface.",
        more: ["cinema.py", "cinema.html"],
      },
      {
        id: "open_ui",
        title: "Open",
        heading: "Open generative UI",
        summary: "The model writes a whole document, which runs in a sandbox and calls what the page lets it.",
      },
    ],
  },
  {
    id: "threads",
    title: "Threads",
    features: [
      {
        id: "threads",
        title: "Thread list",
        summary: "Rename, archive, delete and search what the runtime has stored.",
      },
      {
        id: "live_run",
        title: "Stop, reload, join",
        summary: "A run goes on without the page. Any browser can join it, and stop it.",
      },
    ],
  },
];

export const features = groups.flatMap((group) => group.features);

const modules = import.meta.glob<FeatureModule>("./features/*.tsx", { eager: true });
const pages = import.meta.glob<string>("./features/*.tsx", { query: "?code", import: "default" });
const files = import.meta.glob<string>(["../../*.{py,html}", "../../agents/*.py"], { query: "?code", import: "default" });

export const moduleOf = (feature: Feature) => modules[`./features/${feature.id}.tsx`];

/** The files of a feature, in colours. */
export function codeOf({ id, more = [] }: Feature) {
  const agent = `agents/${id}.py`;
  const sources = [
    { name: agent, load: files[`../../${agent}`] },
    { name: `page/src/features/${id}.tsx`, load: pages[`./features/${id}.tsx`] },
    ...more.map((name) => ({ name, load: files[`../../${name}`] })),
  ];
  return Promise.all(sources.map(async ({ name, load }) => ({ name, html: await load() })));
}
