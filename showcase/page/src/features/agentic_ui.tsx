import { CopilotChat, useAgent, useConfigureSuggestions } from "@copilotkit/react-core/v2";

import type { PageProps } from "../features";

interface Step {
  title: string;
  status: "pending" | "running" | "done";
}

export default function AgenticUI({ threadId }: PageProps) {
  const { agent } = useAgent({ agentId: "agentic_ui" });
  const steps: Step[] = agent.state.steps ?? [];

  useConfigureSuggestions({
    suggestions: [{ title: "Fix the build", message: "The build is red. Please fix it." }],
    available: "before-first-message",
  });

  return (
    <CopilotChat
      agentId="agentic_ui"
      threadId={threadId}
      messageView={{
        children: ({ messageElements, interruptElement }) => (
          <div className="messages">
            {messageElements}
            {steps.length > 0 && <Steps steps={steps} />}
            {interruptElement}
          </div>
        ),
      }}
    />
  );
}

function Steps({ steps }: { steps: Step[] }) {
  const done = steps.filter(({ status }) => status === "done").length;
  return (
    <section className="card steps" data-testid="steps">
      <h3>
        {done} of {steps.length} steps
      </h3>
      <progress value={done} max={steps.length} />
      <ol>
        {steps.map(({ title, status }) => (
          <li key={title} data-status={status}>
            {title}
          </li>
        ))}
      </ol>
    </section>
  );
}
