import { CopilotChat, useConfigureSuggestions, useHumanInTheLoop } from "@copilotkit/react-core/v2";
import { useState } from "react";
import { z } from "zod";

import type { PageProps } from "../features";

const review = z.object({ title: z.string(), steps: z.array(z.string()) });

export default function HumanByTool({ threadId }: PageProps) {
  // A tool of the page without a handler: it is done when `respond` is called.
  useHumanInTheLoop<z.infer<typeof review>>({
    name: "review_steps",
    description: "Ask the user which of these steps to take.",
    parameters: review,
    render: ({ args, respond, result }) => (
      <Review
        title={args.title ?? ""}
        steps={args.steps ?? []}
        approved={result === undefined ? undefined : JSON.parse(result).approved}
        onDone={respond && ((approved) => void respond({ approved }))}
      />
    ),
  });

  useConfigureSuggestions({
    suggestions: [{ title: "Upgrade the service", message: "Upgrade our service to version 2" }],
    available: "before-first-message",
  });
  return <CopilotChat agentId="human_by_tool" threadId={threadId} />;
}

interface ReviewProps {
  title: string;
  steps: string[];
  /** What was approved, once it was. */
  approved?: string[];
  onDone?: (approved: string[]) => void;
}

function Review({ title, steps, approved, onDone }: ReviewProps) {
  const [refused, setRefused] = useState<string[]>([]);
  const chosen = approved ?? steps.filter((step) => !refused.includes(step));
  const flip = (step: string) =>
    setRefused(refused.includes(step) ? refused.filter((each) => each !== step) : [...refused, step]);
  return (
    <form
      className="card review"
      data-testid="review"
      onSubmit={(event) => {
        event.preventDefault();
        onDone?.(chosen);
      }}
    >
      <h3>{title}</h3>
      {steps.map((step) => (
        <label key={step}>
          <input type="checkbox" disabled={!onDone} checked={chosen.includes(step)} onChange={() => flip(step)} />
          {step}
        </label>
      ))}
      {onDone ? (
        <footer>
          <button className="button primary">Approve {chosen.length}</button>
          <button className="button" type="button" onClick={() => onDone([])}>
            Reject all
          </button>
        </footer>
      ) : (
        approved && <p>{approved.length > 0 ? `You approved ${approved.length} of ${steps.length}.` : "You rejected all."}</p>
      )}
    </form>
  );
}
