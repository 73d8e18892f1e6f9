import { CopilotChat, useAgentContext, useConfigureSuggestions, useFrontendTool } from "@copilotkit/react-core/v2";
import { useState } from "react";
import { z } from "zod";

import type { PageProps } from "../features";

export default function AgenticChat({ threadId }: PageProps) {
  const [colour, setColour] = useState("none");

  // What the agent may read.
  useAgentContext({ description: "The colour of the page", value: colour });

  // What the agent may do: its handler runs in the browser.
  useFrontendTool({
    name: "paint_page",
    description: "Give the page another colour.",
    parameters: z.object({ colour: z.string().describe("A CSS colour.") }),
    handler: async ({ colour }) => {
      setColour(colour);
      return `The page is ${colour} now.`;
    },
  });

  useConfigureSuggestions({
    suggestions: [
      { title: "Paint the page", message: "Paint the page lavender" },
      { title: "Ask what it sees", message: "Which colour has the page?" },
      { title: "Say hello", message: "Hello, who are you?" },
    ],
    available: "before-first-message",
  });

  return (
    <div className="canvas" data-testid="canvas" style={{ backgroundColor: colour === "none" ? undefined : colour }}>
      <CopilotChat agentId="chat" threadId={threadId} />
    </div>
  );
}
