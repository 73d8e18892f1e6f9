import { CopilotChat, useComponent, useConfigureSuggestions } from "@copilotkit/react-core/v2";
import { z } from "zod";

import type { PageProps } from "../features";

const chart = z.object({
  title: z.string(),
  unit: z.string(),
  bars: z.array(z.object({ label: z.string(), value: z.number() })),
});

export default function ToolUI({ threadId }: PageProps) {
  // The agent is offered a tool of this name; a call of it is drawn while its arguments arrive.
  useComponent({ name: "show_chart", description: "Show a bar chart.", parameters: chart, render: Chart });

  useConfigureSuggestions({
    suggestions: [{ title: "Show our sales", message: "How did we sell this year?" }],
    available: "before-first-message",
  });
  return <CopilotChat agentId="tool_ui" threadId={threadId} />;
}

function Chart({ title, unit, bars = [] }: Partial<z.infer<typeof chart>>) {
  const highest = Math.max(...bars.map(({ value }) => value ?? 0), 1);
  return (
    <figure className="card chart" data-testid="chart">
      <figcaption>
        {title} {unit && <small>in {unit}</small>}
      </figcaption>
      <ul>
        {bars.map(({ label, value }, index) => (
          <li key={index}>
            <b>{value}</b>
            <i style={{ height: `${(100 * (value ?? 0)) / highest}%` }} />
            <span>{label}</span>
          </li>
        ))}
      </ul>
    </figure>
  );
}
