import { CopilotChat, useConfigureSuggestions, useInterrupt } from "@copilotkit/react-core/v2";

import type { PageProps } from "../features";

interface Train {
  id: string;
  departs: string;
  arrives: string;
  price: number;
}

export default function HumanByInterrupt({ threadId }: PageProps) {
  useInterrupt({
    agentId: "human_by_interrupt",
    // What the graph passes to `interrupt()` comes as JSON; what `resolve` gets is what `interrupt()` returns.
    render: ({ event, resolve }) => {
      const { question, options } = JSON.parse(event.value) as { question: string; options: Train[] };
      return (
        <section className="card trains" role="alertdialog" aria-label={question}>
          <h3>{question}</h3>
          {options.map(({ id, departs, arrives, price }) => (
            <button key={id} className="train" onClick={() => void resolve(id)}>
              <b>
                {departs} – {arrives}
              </b>
              <span>{id}</span>
              <strong>{price} €</strong>
            </button>
          ))}
          <button className="button" onClick={() => void resolve("none")}>
            None of these
          </button>
        </section>
      );
    },
  });

  useConfigureSuggestions({
    suggestions: [{ title: "A train to Munich", message: "Book me a train to Munich" }],
    available: "before-first-message",
  });
  return <CopilotChat agentId="human_by_interrupt" threadId={threadId} />;
}
