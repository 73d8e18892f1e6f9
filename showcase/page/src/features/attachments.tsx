import { CopilotChat, useConfigureSuggestions } from "@copilotkit/react-core/v2";

import type { PageProps } from "../features";

/** Sends a file once, and puts a link to it into the message. */
async function onUpload(file: File) {
  const body = new FormData();
  body.append("file", file);
  const headers = { "X-Requested-With": "fetch" };
  const response = await fetch("/api/copilotkit/attachments", { method: "POST", body, headers });
  const source = await response.json();
  if (!response.ok) throw new Error(source.message);
  return { ...source, value: new URL(source.value, response.url).href };
}

export default function Attachments({ threadId }: PageProps) {
  useConfigureSuggestions({
    suggestions: [{ title: "What can I attach?", message: "What can I attach?" }],
    available: "before-first-message",
  });
  return (
    <CopilotChat
      agentId="attachments"
      threadId={threadId}
      attachments={{ enabled: true, accept: "image/*,text/plain", onUpload }}
    />
  );
}
