import { CopilotChat, useAgent, useConfigureSuggestions } from "@copilotkit/react-core/v2";

import type { PageProps } from "../features";

export default function PredictiveState({ threadId }: PageProps) {
  // The state grows with each token of the call that will change it.
  const { agent } = useAgent({ agentId: "predictive_state" });
  const text: string = agent.state.document ?? "";

  useConfigureSuggestions({
    suggestions: [
      { title: "Write a story", message: "Write a short story about a lighthouse" },
      { title: "Continue it", message: "Continue the story" },
    ],
    available: "always",
  });

  return (
    <>
      <article className="panel document" data-testid="document" data-writing={agent.isRunning}>
        {text ? text.split("\n\n").map((paragraph, index) => <p key={index}>{paragraph}</p>) : <p>An empty page.</p>}
      </article>
      <CopilotChat agentId="predictive_state" threadId={threadId} />
    </>
  );
}
