import { CopilotChat, useConfigureSuggestions } from "@copilotkit/react-core/v2";

import type { PageProps } from "../features";

/** Nothing to set up: the chat draws surfaces of A2UI's basic components by itself. */
export default function FixedSurface({ threadId }: PageProps) {
  useConfigureSuggestions({
    suggestions: [{ title: "A concert", message: "Is there a concert this week?" }],
    available: "before-first-message",
  });
  return <CopilotChat agentId="a2ui_fixed" threadId={threadId} />;
}
