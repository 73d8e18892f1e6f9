import { CopilotChat, useAgent, useFrontendTool, useInterrupt } from "@copilotkit/react-core/v2";
import { useState } from "react";
import { z } from "zod";

/** The thread is in the address, so that the page shows the same conversation when it is loaded again. */
function useThreadId(): string {
  const [threadId] = useState(() => {
    const kept = new URLSearchParams(window.location.search).get("thread") ?? crypto.randomUUID();
    window.history.replaceState(null, "", `?thread=${kept}`);
    return kept;
  });
  return threadId;
}

export function Page() {
  const threadId = useThreadId();
  const [background, setBackground] = useState("white");
  const { agent } = useAgent({ agentId: "demo" });
  const items: string[] = agent.state.items ?? [];

  // A tool that the agent calls and the page runs.
  useFrontendTool({
    name: "setBackgroundColor",
    description: "Set the background color of the page.",
    parameters: z.object({ color: z.string().describe("A CSS color.") }),
    handler: async ({ color }) => {
      setBackground(color);
      return `The background is now ${color}.`;
    },
  });

  // A question of the agent, answered in the chat.
  useInterrupt({
    agentId: "demo",
    render: ({ event, resolve }) => (
      <div className="question" role="alertdialog">
        <p>{String(event.value)}</p>
        <button onClick={() => void resolve("yes")}>Yes</button>{" "}
        <button onClick={() => void resolve("no")}>No</button>
      </div>
    ),
  });

  return (
    <main style={{ backgroundColor: background }}>
      <section>
        <h1>Shared list</h1>
        <ul>
          {items.map((item, index) => (
            <li key={index}>{item}</li>
          ))}
        </ul>
        <button onClick={() => agent.setState({ ...agent.state, items: [...items, "bread"] })}>
          Add bread
        </button>
      </section>
      <CopilotChat agentId="demo" threadId={threadId} className="chat" />
    </main>
  );
}
