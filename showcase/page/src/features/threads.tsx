import { CopilotChat, useAgent, useConfigureSuggestions, useThreads } from "@copilotkit/react-core/v2";
import { useEffect, useState } from "react";

import { addressOf } from "../address";
import type { PageProps } from "../features";

export default function Threads({ threadId }: PageProps) {
  const [search, setSearch] = useState("");
  const [includeArchived, setIncludeArchived] = useState(false);
  const { agent } = useAgent({ agentId: "threads" });
  const { threads, renameThread, archiveThread, unarchiveThread, deleteThread, refetchThreads } = useThreads({
    agentId: "threads",
    includeArchived,
  });
  // A run makes a new thread, or moves one to the top.
  useEffect(refetchThreads, [agent.isRunning, refetchThreads]);

  const found = threads.filter(({ name }) => (name ?? "").toLowerCase().includes(search.toLowerCase()));
  const rename = (id: string, name: string | null) => {
    const given = window.prompt("Name of the thread", name ?? "");
    if (given) void renameThread(id, given);
  };

  useConfigureSuggestions({
    suggestions: [{ title: "Start a conversation", message: "Plan the summer party" }],
    available: "before-first-message",
  });

  return (
    <>
      <section className="panel threads" data-testid="threads">
        <input
          type="search"
          placeholder="Search threads"
          value={search}
          onChange={(event) => setSearch(event.target.value)}
        />
        <ul>
          {found.map(({ id, name, archived, updatedAt, lastRunAt }) => (
            <li key={id} data-archived={archived} aria-current={id === threadId}>
              <a href={addressOf("threads", id)}>
                {name ?? "New thread"} <time>{new Date(lastRunAt ?? updatedAt).toLocaleString()}</time>
              </a>
              <button className="button" onClick={() => rename(id, name)}>
                Rename
              </button>
              <button className="button" onClick={() => void (archived ? unarchiveThread : archiveThread)(id)}>
                {archived ? "Restore" : "Archive"}
              </button>
              <button className="button" onClick={() => void deleteThread(id)}>
                Delete
              </button>
            </li>
          ))}
        </ul>
        {found.length === 0 && <p>{search ? "No thread has this in its name." : "No threads yet."}</p>}
        <label>
          <input
            type="checkbox"
            checked={includeArchived}
            onChange={(event) => setIncludeArchived(event.target.checked)}
          />
          Show archived threads
        </label>
      </section>
      <CopilotChat agentId="threads" threadId={threadId} />
    </>
  );
}
