import { useInterrupt } from "@copilotkit/react-core/v2";

import { Question } from "../Question";

/** Shows the agent's interrupt in the chat. */
export function Interrupts({ agentId }: { agentId: string }) {
  useInterrupt({
    agentId,
    render: ({ event, interrupt, resolve }) => (
      <Question
        text={interrupt?.message ?? String(event.value)}
        onAnswer={(yes) => void resolve(yes ? "yes" : "no")}
      />
    ),
  });
  return null;
}
