import type { CopilotKitProps } from "@copilotkit/react-core/v2";
import type { ComponentType } from "react";

/** A feature: a page in `features/` and an agent in `showcase/agents/`, both named after it. */
export interface Feature {
  id: string;
  title: string;
  /** The title above the demo, where the one in the navigation needs its group. */
  heading?: string;
  summary: string;
  /** The file of its agent, where it is not its own. */
  agent?: string;
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
        id: "multi_agent",
        title: "Multi-agent",
        summary: "Two agents on one page, and the page carries the work from one to the other.",
      },
      {
        id: "subagents",
        title: "Subagents",
        summary: "An agent hands parts of its work to agents of their own, and the chat shows who does what.",
      },
    ],
  },
  {
    id: "tools",
    title: "Tools",
    features: [
      {
        id: "tool_rendering",
        title: "Tool rendering",
        summary: "A tool runs on the server. The page draws its call and its result as a card.",
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
        summary: "The user and the agent edit one recipe, each sees the other’s changes.",
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
    ],
  },
];

export const features = groups.flatMap((group) => group.features);

const modules = import.meta.glob<FeatureModule>("./features/*.tsx", { eager: true });
const pages = import.meta.glob<string>("./features/*.tsx", { query: "?code", import: "default" });
const agents = import.meta.glob<string>("../../agents/*.py", { query: "?code", import: "default" });

export const moduleOf = (feature: Feature) => modules[`./features/${feature.id}.tsx`];

/** The files of a feature, in colours. */
export async function codeOf(feature: Feature) {
  const agent = feature.agent ?? feature.id;
  const [agentHtml, pageHtml] = await Promise.all([
    agents[`../../agents/${agent}.py`](),
    pages[`./features/${feature.id}.tsx`](),
  ]);
  return [
    { name: `agents/${agent}.py`, html: agentHtml },
    { name: `page/src/features/${feature.id}.tsx`, html: pageHtml },
  ];
}
