import { CopilotChat, useAgent, useConfigureSuggestions, useCopilotKit } from "@copilotkit/react-core/v2";

import type { PageProps } from "../features";

/** The agent of chats and hooks that name none. */
export const provider = { agent: "writer" };

export default function MultiAgent({ threadId }: PageProps) {
  const { copilotkit } = useCopilotKit();
  const { agent: writer } = useAgent({ agentId: "writer" });
  const { agent: editor } = useAgent({ agentId: "editor" });
  const draft = writer.messages.findLast(({ role, content }) => role === "assistant" && content)?.content;

  // The page itself speaks to an agent.
  const handOver = () => {
    editor.addMessage({ id: crypto.randomUUID(), role: "user", content: `Please edit this: ${draft}` });
    void copilotkit.runAgent({ agent: editor });
  };

  useConfigureSuggestions({
    suggestions: [{ title: "Advertise the kettle", message: "Write a line about our new kettle" }],
    available: "before-first-message",
    consumerAgentId: "writer",
  });

  return (
    <div className="pair">
      <section aria-label="Writer">
        <h2>Writer</h2>
        <CopilotChat agentId="writer" threadId={`${threadId}-writer`} />
      </section>
      <section aria-label="Editor">
        <h2>
          Editor
          <button className="button primary" disabled={!draft || writer.isRunning || editor.isRunning} onClick={handOver}>
            Hand the draft over
          </button>
        </h2>
        <CopilotChat agentId="editor" threadId={`${threadId}-editor`} />
      </section>
    </div>
  );
}
