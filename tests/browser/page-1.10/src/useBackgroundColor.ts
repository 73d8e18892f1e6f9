import { useCopilotAction } from "@copilotkit/react-core";

/** Offers the agent a tool that runs in the browser. */
export function useBackgroundColor(setBackground: (color: string) => void) {
  useCopilotAction({
    name: "setBackgroundColor",
    description: "Set the background color of the page.",
    parameters: [
      { name: "color", type: "string", description: "A CSS color.", required: true },
    ],
    handler: ({ color }) => {
      setBackground(color);
      return `The background is now ${color}.`;
    },
  });
}
