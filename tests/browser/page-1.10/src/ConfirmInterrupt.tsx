import { useLangGraphInterrupt } from "@copilotkit/react-core";

interface Question {
  reason?: unknown;
  message?: unknown;
  question?: unknown;
}

function asked(value: unknown): Question {
  return typeof value === "object" && value !== null ? value : {};
}

function isApproval(value: unknown): boolean {
  return asked(value).reason === "tool_call";
}

function questionOf(value: unknown): string {
  const { message, question } = asked(value);
  const text = isApproval(value) ? message : question;
  return String(text ?? (typeof value === "string" ? value : JSON.stringify(value)));
}

function answerOf(value: unknown, agrees: boolean): string {
  return isApproval(value) ? JSON.stringify({ approved: agrees }) : agrees ? "yes" : "no";
}

/** Shows the agent's interrupt in the chat, with the two answers it takes. */
export function ConfirmInterrupt() {
  useLangGraphInterrupt<unknown>({
    render: ({ event, resolve }) => (
      <div role="alertdialog" className="confirm">
        <p>{questionOf(event.value)}</p>
        <button onClick={() => resolve(answerOf(event.value, true))}>Yes</button>
        <button onClick={() => resolve(answerOf(event.value, false))}>No</button>
      </div>
    ),
  });
  return null;
}
