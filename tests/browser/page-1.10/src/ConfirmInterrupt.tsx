import { useLangGraphInterrupt } from "@copilotkit/react-core";

function questionOf(value: unknown): string {
  if (typeof value === "object" && value !== null && "question" in value) {
    return String(value.question);
  }
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** Shows the agent's interrupt in the chat, with the two answers it takes. */
export function ConfirmInterrupt() {
  useLangGraphInterrupt<unknown>({
    render: ({ event, resolve }) => (
      <div role="alertdialog" className="confirm">
        <p>{questionOf(event.value)}</p>
        <button onClick={() => resolve("yes")}>Yes</button>
        <button onClick={() => resolve("no")}>No</button>
      </div>
    ),
  });
  return null;
}
