import { useLangGraphInterrupt } from "@copilotkit/react-core";

import { Question } from "../Question";

/** Shows the agent's interrupt in the chat, whose value is the question. */
export function Interrupts() {
  useLangGraphInterrupt<string>({
    render: ({ event, resolve }) => (
      <Question text={event.value} onAnswer={(yes) => resolve(yes ? "yes" : "no")} />
    ),
  });
  return null;
}
