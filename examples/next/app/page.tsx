"use client";

import { CopilotChat, CopilotKitProvider, useDefaultRenderTool, useFrontendTool } from "@copilotkit/react-core/v2";
import { useState } from "react";
import { z } from "zod";

export default function App() {
  return (
    <CopilotKitProvider runtimeUrl="/api/copilotkit">
      <Page />
    </CopilotKitProvider>
  );
}

function Page() {
  const [background, setBackground] = useState("lavender");
  // Shows the calls of tools in the chat.
  useDefaultRenderTool();
  // A tool that runs in the page, offered to the agent.
  useFrontendTool({
    name: "setBackgroundColor",
    description: "Set the background color of the page.",
    parameters: z.object({ color: z.string().describe("A CSS color.") }),
    handler: async ({ color }) => {
      setBackground(color);
      return `The background is now ${color}.`;
    },
  });
  return (
    <main style={{ backgroundColor: background }}>
      <CopilotChat agentId="demo" className="chat" />
    </main>
  );
}
