import { CopilotChat, CopilotKitProvider, useAgent } from "@copilotkit/react-core/v2";
import { useState } from "react";

import { Frame } from "../Frame";
import { settings } from "../settings";
import { useAskBeforeColor, useColor } from "./color";
import { useHaiku } from "./haiku";
import { Interrupts } from "./Interrupts";
import { onUpload } from "./upload";

const { runtimeUrl, agent, useSingleEndpoint, headers, properties } = settings;

export function App() {
  const [errors, setErrors] = useState<string[]>([]);
  const onError = (message: string) => setErrors((known) => [...known, message]);
  return (
    <CopilotKitProvider
      runtimeUrl={runtimeUrl}
      useSingleEndpoint={useSingleEndpoint}
      headers={headers}
      properties={properties}
      onError={({ error }) => onError(error.message)}
    >
      <Page onError={onError} />
      {errors.map((error, index) => (
        <p key={index} role="alert">
          {error}
        </p>
      ))}
    </CopilotKitProvider>
  );
}

const withTools = settings.asksFirst ? useAskBeforeColor : useColor;
const useHaikuTool = settings.showsHaiku ? useHaiku : () => undefined;
const useColorTool = settings.noTools ? () => undefined : withTools;

function Page({ onError }: { onError: (message: string) => void }) {
  const [threadId, setThreadId] = useState(settings.threadId);
  const [background, setBackground] = useState("white");
  const shared = useAgent({ agentId: agent }).agent;
  const items: string[] = shared.state.items ?? [];
  useColorTool(setBackground);
  useHaikuTool();
  return (
    <Frame
      background={background}
      items={items}
      onAddItem={(item) => shared.setState({ ...shared.state, items: [...items, item] })}
      threadId={threadId}
      onThread={setThreadId}
    >
      <CopilotChat
        agentId={agent}
        threadId={threadId}
        className="chat"
        attachments={{ enabled: true, onUpload, onUploadFailed: ({ message }) => onError(message) }}
      />
      <Interrupts agentId={agent} />
    </Frame>
  );
}
