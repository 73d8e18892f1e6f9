import { useFrontendTool } from "@copilotkit/react-core/v2";
import { z } from "zod";

/** Offers the agent a tool whose call the chat shows as a card. */
export function useHaiku() {
  useFrontendTool({
    name: "showHaiku",
    description: "Show a haiku in the chat.",
    parameters: z.object({ lines: z.array(z.string()).describe("The three lines.") }),
    handler: async ({ lines }) => `Shown: ${lines[0]}`,
    render: ({ args }) => <blockquote data-testid="haiku">{args.lines?.join(" / ")}</blockquote>,
  });
}
