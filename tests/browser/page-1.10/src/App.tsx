import { CopilotKit } from "@copilotkit/react-core";
import { CopilotChat } from "@copilotkit/react-ui";
import { useState } from "react";

import { ConfirmInterrupt } from "./ConfirmInterrupt";
import { SharedState } from "./SharedState";
import { useBackgroundColor } from "./useBackgroundColor";

const query = new URLSearchParams(window.location.search);
const agent = query.get("agent") ?? "demo";

/**
 * `?runtimeUrl=` names the server, `?threadId=` the conversation, `?agent=` the agent, which answers every
 * message unless `?lock=no` leaves the choice to the server.
 */
export function App() {
  return (
    <CopilotKit
      runtimeUrl={query.get("runtimeUrl") ?? "/api/copilotkit"}
      threadId={query.get("threadId") ?? undefined}
      agent={query.get("lock") === "no" ? undefined : agent}
      showDevConsole
    >
      <Page />
    </CopilotKit>
  );
}

function Page() {
  const [background, setBackground] = useState("white");
  useBackgroundColor(setBackground);
  return (
    <main data-testid="page" style={{ backgroundColor: background }}>
      <SharedState agent={agent} />
      <CopilotChat className="chat" />
      <ConfirmInterrupt />
    </main>
  );
}
