import type { ReactNode } from "react";

interface Props {
  background: string;
  items: string[];
  onAddItem: (item: string) => void;
  threadId: string | undefined;
  onThread: (threadId: string) => void;
  children: ReactNode;
}

/** The page around the chat: the list shared with the agent, and a way to another conversation. */
export function Frame({ background, items, onAddItem, threadId, onThread, children }: Props) {
  return (
    <main data-testid="page" data-thread={threadId} style={{ backgroundColor: background }}>
      <section data-testid="shared-state">
        <h1>Shared list</h1>
        <ul>
          {items.map((item, index) => (
            <li key={index}>{item}</li>
          ))}
        </ul>
        <button onClick={() => onAddItem("bread")}>Add bread</button>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            onThread(String(new FormData(event.currentTarget).get("thread")));
          }}
        >
          <label>
            Thread <input name="thread" defaultValue={threadId} />
          </label>
          <button>Open</button>
        </form>
      </section>
      {children}
    </main>
  );
}
