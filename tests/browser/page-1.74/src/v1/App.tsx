import { CopilotKit, useCoAgent } from "@copilotkit/react-core";
import { CopilotChat } from "@copilotkit/react-ui";
import { useState } from "react";

import { Frame } from "../Frame";
import { settings } from "../settings";
import { useAskBeforeColor, useColor } from "./color";
import { Interrupts } from "./Interrupts";

const { runtimeUrl, agent, useSingleEndpoint, headers, properties } = settings;

export function App() {
  const [threadId, setThreadId] = useState(settings.threadId);
  return (
    <CopilotKit
      runtimeUrl={runtimeUrl}
      useSingleEndpoint={useSingleEndpoint}
      threadId={threadId}
      agent={agent}
      headers={headers}
      properties={properties}
      showDevConsole
    >
      <Page threadId={threadId} onThread={setThreadId} />
      <Interrupts />
    </CopilotKit>
  );
}

const useColorTool = settings.asksFirst ? useAskBeforeColor : useColor;

interface Props {
  threadId: string | undefined;
  onThread: (threadId: string) => void;
}

function Page({ threadId, onThread }: Props) {
  const [background, setBackground] = useState("white");
  const { state, setState } = useCoAgent<{ items?: string[] }>({ name: agent });
  const items = state.items ?? [];
  useColorTool(setBackground);
  return (
    <Frame
      background={background}
      items={items}
      onAddItem={(item) => setState({ ...state, items: [...items, item] })}
      threadId={threadId}
      onThread={onThread}
    >
      <CopilotChat className="chat" />
    </Frame>
  );
}
