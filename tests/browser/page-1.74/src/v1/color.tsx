import { type ActionRenderPropsWait, useCopilotAction } from "@copilotkit/react-core";

import { colorTool, done, refused } from "../colorTool";
import { Question } from "../Question";

const color = { name: "color", type: "string", description: "A CSS color.", required: true } as const;
type Parameters = [typeof color];

/** Offers the agent a tool that runs in the browser. */
export function useColor(setBackground: (color: string) => void) {
  useCopilotAction<Parameters>({
    ...colorTool,
    parameters: [color],
    handler: ({ color }) => {
      setBackground(color);
      return done(color);
    },
  });
}

/** The same tool, but the user decides. */
export function useAskBeforeColor(setBackground: (color: string) => void) {
  useCopilotAction<Parameters>({
    ...colorTool,
    parameters: [color],
    renderAndWaitForResponse: ({ args, status, respond }: ActionRenderPropsWait<Parameters>) => {
      const color = args.color ?? "";
      const answer = (yes: boolean) => {
        if (yes) setBackground(color);
        respond?.(yes ? done(color) : refused);
      };
      return (
        <Question text={`Paint the page ${color}?`} onAnswer={status === "executing" ? answer : undefined} />
      );
    },
  });
}
