import type { CopilotKitProviderProps } from "@copilotkit/react-core/v2";
import type { ComponentType } from "react";

/** A feature: a page in `features/` and an agent in `showcase/agents/`, both named after it. */
export interface Feature {
  id: string;
  title: string;
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
  /** What the feature sets on `<CopilotKitProvider>`, besides the URL of the runtime. */
  provider?: Partial<CopilotKitProviderProps>;
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
