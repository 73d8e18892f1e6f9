import { createCatalog } from "@copilotkit/a2ui-renderer";
import { CopilotChat, useConfigureSuggestions } from "@copilotkit/react-core/v2";
import { z } from "zod";

import type { PageProps } from "../features";

// A property that the model may bind to its data: `{ path: "/revenue" }`.
const text = z.union([z.string(), z.object({ path: z.string() })]);

/** The page's own components, in addition to A2UI's basic ones. The model gets their descriptions. */
const catalog = createCatalog(
  {
    Metric: {
      description: "One figure with its label.",
      props: z.object({ label: text, value: text, trend: text.optional() }),
    },
    Meter: {
      description: "How much of something is done.",
      props: z.object({ label: text, percent: z.number() }),
    },
  },
  {
    Metric: ({ props }) => (
      <div className="metric" data-testid="metric" data-trend={props.trend}>
        <small>{String(props.label)}</small>
        <b>{String(props.value)}</b>
      </div>
    ),
    Meter: ({ props }) => (
      <label className="meter" data-testid="meter">
        <span>
          {String(props.label)} <b>{props.percent} %</b>
        </span>
        <progress value={props.percent} max={100} />
      </label>
    ),
  },
  { catalogId: "showcase", includeBasicCatalog: true },
);

export const provider = { a2ui: { catalog } };

export default function DynamicSurface({ threadId }: PageProps) {
  useConfigureSuggestions({
    suggestions: [{ title: "How is the shop doing?", message: "How is the shop doing today?" }],
    available: "before-first-message",
  });
  return <CopilotChat agentId="a2ui_dynamic" threadId={threadId} />;
}
