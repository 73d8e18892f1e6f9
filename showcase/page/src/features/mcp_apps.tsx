import { CopilotChat, useConfigureSuggestions } from "@copilotkit/react-core/v2";

import type { PageProps } from "../features";

/** Nothing to set up: the chat shows the frame, and passes its requests on to the server. */
export default function MCPApps({ threadId }: PageProps) {
  useConfigureSuggestions({
    suggestions: [{ title: "Go to the cinema", message: "Two seats for Metropolis, please" }],
    available: "before-first-message",
  });
  return <CopilotChat agentId="mcp_apps" threadId={threadId} />;
}
