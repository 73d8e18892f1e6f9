import { CopilotChat, useConfigureSuggestions } from "@copilotkit/react-core/v2";
import { useSyncExternalStore } from "react";
import { z } from "zod";

import type { PageProps } from "../features";

interface Recipe {
  grams: number;
  time: string;
}

let kept: Recipe[] = [];
const listeners = new Set<() => void>();

export const provider = {
  openGenerativeUI: {
    // What the document may call. Everything else of the page is out of its reach.
    sandboxFunctions: [
      {
        name: "keepRecipe",
        description: "Keep a coffee recipe on the page.",
        parameters: z.object({ grams: z.number(), time: z.string() }),
        handler: async (recipe: Recipe) => {
          kept = [...kept, recipe];
          listeners.forEach((listener) => listener());
        },
      },
    ],
  },
};

const subscribe = (listener: () => void) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

export default function OpenUI({ threadId }: PageProps) {
  const recipes = useSyncExternalStore(subscribe, () => kept);
  useConfigureSuggestions({
    suggestions: [{ title: "A coffee timer", message: "Build me a timer for filter coffee" }],
    available: "before-first-message",
  });
  return (
    <>
      {recipes.length > 0 && (
        <aside className="kept" data-testid="kept">
          {recipes.map(({ grams, time }, index) => (
            <span key={index}>
              {grams} g, {time} min
            </span>
          ))}
        </aside>
      )}
      <CopilotChat agentId="open_ui" threadId={threadId} />
    </>
  );
}
