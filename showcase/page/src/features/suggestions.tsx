import { CopilotChat, useConfigureSuggestions } from "@copilotkit/react-core/v2";

import type { PageProps } from "../features";

export default function Suggestions({ threadId }: PageProps) {
  // The agent is asked after each answer, and the question leaves no trace in the thread.
  useConfigureSuggestions({
    instructions: "Suggest what the traveller could ask next.",
    minSuggestions: 2,
    maxSuggestions: 2,
    available: "always",
  });
  return <CopilotChat agentId="suggestions" threadId={threadId} />;
}
