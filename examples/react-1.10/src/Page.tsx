import { useCoAgent, useCopilotAction, useLangGraphInterrupt } from "@copilotkit/react-core";
import { CopilotChat } from "@copilotkit/react-ui";
import { useState } from "react";

export function Page() {
  const [background, setBackground] = useState("white");
  const { state, setState } = useCoAgent<{ items?: string[] }>({ name: "demo" });
  const items = state.items ?? [];

  // A tool that the agent calls and the page runs.
  useCopilotAction({
    name: "setBackgroundColor",
    description: "Set the background color of the page.",
    parameters: [{ name: "color", type: "string", description: "A CSS color.", required: true }],
    handler: ({ color }) => {
      setBackground(color);
      return `The background is now ${color}.`;
    },
  });

  // A question of the agent, answered in the chat.
  useLangGraphInterrupt<string>({
    render: ({ event, resolve }) => (
      <div className="question" role="alertdialog">
        <p>{event.value}</p>
        <button onClick={() => resolve("yes")}>Yes</button> <button onClick={() => resolve("no")}>No</button>
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
        <button onClick={() => setState({ ...state, items: [...items, "bread"] })}>Add bread</button>
      </section>
      <CopilotChat className="chat" labels={{ initial: "Try: paint the page green" }} />
    </main>
  );
}
