import { CopilotChat, useAgent, useConfigureSuggestions } from "@copilotkit/react-core/v2";

import type { PageProps } from "../features";

export default function LiveRun({ threadId }: PageProps) {
  const { agent } = useAgent({ agentId: "live_run" });
  useConfigureSuggestions({
    suggestions: [{ title: "Climb the tower", message: "Climb the tower, floor by floor" }],
    available: "before-first-message",
  });
  return (
    <>
      <section className="panel live" data-testid="live" data-running={agent.isRunning}>
        <h2>{agent.isRunning ? "The agent is on its way" : "Nothing is running"}</h2>
        <p>Send it off. While it climbs:</p>
        <ol>
          <li>
            Stop it with the square button. The agent itself is cancelled, and what it said stays.
          </li>
          <li>
            Reload this page. The answer goes on where you left it, because the run belongs to the runtime.
          </li>
          <li>
            <a href={window.location.href} target="_blank" rel="noreferrer">
              Open the thread in a second window
            </a>
            . Both see every word, and either can stop it.
          </li>
        </ol>
      </section>
      <CopilotChat agentId="live_run" threadId={threadId} />
    </>
  );
}
