import { CopilotChat, useConfigureSuggestions } from "@copilotkit/react-core/v2";

import type { PageProps } from "../features";

export default function Suggestions({ threadId }: PageProps) {
  // What the page suggests itself, for a start.
  useConfigureSuggestions({
    suggestions: [
      { title: "Tell me about Kyoto", message: "Tell me about Kyoto" },
      { title: "Tell me about Iceland", message: "Tell me about Iceland" },
    ],
    available: "before-first-message",
  });

  // The agent is asked after each answer, and the question leaves no trace in the thread.
  // Without `providerAgentId`, CopilotKit asks the agent `default`.
  useConfigureSuggestions({
    providerAgentId: "suggestions",
    instructions: "Suggest what the traveller could ask next.",
    minSuggestions: 2,
    maxSuggestions: 2,
    available: "after-first-message",
  });
  return <CopilotChat agentId="suggestions" threadId={threadId} />;
}
