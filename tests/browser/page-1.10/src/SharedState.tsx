import { useCoAgent } from "@copilotkit/react-core";

interface AgentState {
  items?: string[];
}

/** The list that the agent and the page share. */
export function SharedState({ agent }: { agent: string }) {
  const { state, setState, running } = useCoAgent<AgentState>({ name: agent });
  const items = state.items ?? [];
  return (
    <section data-testid="shared-state" data-running={running}>
      <h1>Shared list</h1>
      <ul>
        {items.map((item, index) => (
          <li key={index}>{item}</li>
        ))}
      </ul>
      <button onClick={() => setState({ ...state, items: [...items, "bread"] })}>
        Add bread
      </button>
    </section>
  );
}
