import { basicCatalog } from "@copilotkit/a2ui-renderer";
import { CopilotChat, useConfigureSuggestions } from "@copilotkit/react-core/v2";

import type { PageProps } from "../features";

export const provider = {
  // Show at once that the model is at it again, and what was wrong.
  a2ui: { catalog: basicCatalog, recovery: { showAfterMs: 0, debugExposure: "verbose" as const } },
};

export default function RecoveredSurface({ threadId }: PageProps) {
  useConfigureSuggestions({
    suggestions: [{ title: "Opening hours", message: "When are you open?" }],
    available: "before-first-message",
  });
  return <CopilotChat agentId="a2ui_recovery" threadId={threadId} />;
}
