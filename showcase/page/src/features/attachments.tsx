import { CopilotChat } from "@copilotkit/react-core/v2";

import type { PageProps } from "../features";

export default function Attachments({ threadId }: PageProps) {
  return (
    <CopilotChat
      agentId="attachments"
      threadId={threadId}
      attachments={{ enabled: true, accept: "image/*,text/plain" }}
    />
  );
}
