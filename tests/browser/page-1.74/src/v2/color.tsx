import { useFrontendTool, useHumanInTheLoop } from "@copilotkit/react-core/v2";
import { z } from "zod";

import { colorTool, done, refused } from "../colorTool";
import { Question } from "../Question";

const parameters = z.object({ color: z.string().describe("A CSS color.") });

/** Offers the agent a tool that runs in the browser. */
export function useColor(setBackground: (color: string) => void) {
  useFrontendTool({
    ...colorTool,
    parameters,
    handler: async ({ color }) => {
      setBackground(color);
      return done(color);
    },
  });
}

/** The same tool, but the user decides. */
export function useAskBeforeColor(setBackground: (color: string) => void) {
  useHumanInTheLoop<{ color: string }>({
    ...colorTool,
    parameters,
    render: ({ args, respond }) => {
      const color = args.color ?? "";
      const answer = (yes: boolean) => {
        if (yes) setBackground(color);
        void respond?.(yes ? done(color) : refused);
      };
      return <Question text={`Paint the page ${color}?`} onAnswer={respond && answer} />;
    },
  });
}
