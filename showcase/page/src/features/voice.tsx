import { CopilotChat } from "@copilotkit/react-core/v2";

import type { PageProps } from "../features";

/** Nothing to set up: the chat has a microphone where the runtime has a transcription service. */
export default function Voice({ threadId }: PageProps) {
  return <CopilotChat agentId="voice" threadId={threadId} />;
}
