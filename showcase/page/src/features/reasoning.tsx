import { CopilotChat, useConfigureSuggestions } from "@copilotkit/react-core/v2";

import type { PageProps } from "../features";

/** Nothing to set up: the chat shows the model's thoughts by itself. */
export default function Reasoning({ threadId }: PageProps) {
  useConfigureSuggestions({
    suggestions: [
      { title: "A riddle", message: "A bat and a ball cost 1.10 together. The bat costs 1 more. What is the ball?" },
    ],
    available: "before-first-message",
  });
  return <CopilotChat agentId="reasoning" threadId={threadId} />;
}
