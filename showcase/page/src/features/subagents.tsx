import { CopilotChat, useConfigureSuggestions, useRenderTool } from "@copilotkit/react-core/v2";
import { z } from "zod";

import type { PageProps } from "../features";

const parameters = z.object({ task: z.string() });

export default function Subagents({ threadId }: PageProps) {
  // To the page, a subagent is a tool. What it says streams below the call.
  useRenderTool({
    name: "research",
    parameters,
    render: ({ parameters, status }) => <Task who="Researcher" task={parameters.task} isDone={status === "complete"} />,
  });
  useRenderTool({
    name: "write",
    parameters,
    render: ({ parameters, status }) => <Task who="Writer" task={parameters.task} isDone={status === "complete"} />,
  });
  useConfigureSuggestions({
    suggestions: [{ title: "A panel about bees", message: "Write a panel about bees for our exhibition" }],
    available: "before-first-message",
  });
  return <CopilotChat agentId="subagents" threadId={threadId} />;
}

function Task({ who, task, isDone }: { who: string; task?: string; isDone: boolean }) {
  return (
    <section className="card task" data-testid="task" data-done={isDone}>
      <b>{who}</b>
      <p>{task}</p>
    </section>
  );
}
