import { CopilotChat, useConfigureSuggestions } from "@copilotkit/react-core/v2";

import type { PageProps } from "../features";

/** Nothing to set up: the chat has a microphone where the runtime has a transcription service. */
export default function Voice({ threadId }: PageProps) {
  useConfigureSuggestions({
    suggestions: [{ title: "Or type: how far is the moon?", message: "How far is the moon?" }],
    available: "before-first-message",
  });
  return <CopilotChat agentId="voice" threadId={threadId} />;
}
