/** A question in the chat that waits for one of two answers. */
export function Question({ text, onAnswer }: { text: string; onAnswer?: (yes: boolean) => void }) {
  return (
    <div role="alertdialog" className="question">
      <p>{text}</p>
      <button disabled={!onAnswer} onClick={() => onAnswer?.(true)}>
        Yes
      </button>
      <button disabled={!onAnswer} onClick={() => onAnswer?.(false)}>
        No
      </button>
    </div>
  );
}
