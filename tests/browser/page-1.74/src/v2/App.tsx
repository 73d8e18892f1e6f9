import { CopilotChat, CopilotKitProvider, useAgent } from "@copilotkit/react-core/v2";
import { useState } from "react";

import { Frame } from "../Frame";
import { settings } from "../settings";
import { useAskBeforeColor, useColor } from "./color";
import { Interrupts } from "./Interrupts";

const { runtimeUrl, agent, useSingleEndpoint, headers, properties } = settings;

export function App() {
  const [errors, setErrors] = useState<string[]>([]);
  return (
    <CopilotKitProvider
      runtimeUrl={runtimeUrl}
      useSingleEndpoint={useSingleEndpoint}
      headers={headers}
      properties={properties}
      onError={({ error }) => setErrors((known) => [...known, error.message])}
    >
      <Page />
      {errors.map((error, index) => (
        <p key={index} role="alert">
          {error}
        </p>
      ))}
    </CopilotKitProvider>
  );
}

const useColorTool = settings.asksFirst ? useAskBeforeColor : useColor;

function Page() {
  const [threadId, setThreadId] = useState(settings.threadId);
  const [background, setBackground] = useState("white");
  const shared = useAgent({ agentId: agent }).agent;
  const items: string[] = shared.state.items ?? [];
  useColorTool(setBackground);
  return (
    <Frame
      background={background}
      items={items}
      onAddItem={(item) => shared.setState({ ...shared.state, items: [...items, item] })}
      threadId={threadId}
      onThread={setThreadId}
    >
      <CopilotChat agentId={agent} threadId={threadId} className="chat" />
      <Interrupts agentId={agent} />
    </Frame>
  );
}
