import { CopilotChat, useAgent, useConfigureSuggestions } from "@copilotkit/react-core/v2";
import { useEffect } from "react";

import type { PageProps } from "../features";

interface Recipe {
  title: string;
  servings: number;
  ingredients: string[];
}

const START: Recipe = { title: "Pasta", servings: 2, ingredients: ["Spaghetti", "Olive oil"] };

export default function SharedState({ threadId }: PageProps) {
  const { agent, isReady } = useAgent({ agentId: "shared_state" });
  const recipe: Recipe = agent.state.recipe ?? START;
  const change = (part: Partial<Recipe>) => agent.setState({ ...agent.state, recipe: { ...recipe, ...part } });

  // A new thread begins with this recipe.
  useEffect(() => {
    if (isReady && !agent.state.recipe) agent.setState({ recipe: START });
  }, [agent, isReady]);

  useConfigureSuggestions({
    suggestions: [{ title: "Make it better", message: "Make my recipe more interesting" }],
    available: "before-first-message",
  });

  return (
    <>
      <section className="panel recipe" data-testid="recipe">
        <input
          className="name"
          aria-label="Title"
          value={recipe.title}
          onChange={(event) => change({ title: event.target.value })}
        />
        <p className="servings">
          <button className="button" aria-label="Fewer" onClick={() => change({ servings: Math.max(recipe.servings - 1, 1) })}>
            −
          </button>
          <b>{recipe.servings}</b> servings
          <button className="button" aria-label="More" onClick={() => change({ servings: recipe.servings + 1 })}>
            +
          </button>
        </p>
        <ul>
          {recipe.ingredients.map((ingredient, index) => (
            <li key={index}>
              <input
                aria-label={`Ingredient ${index + 1}`}
                value={ingredient}
                onChange={(event) => change({ ingredients: recipe.ingredients.with(index, event.target.value) })}
              />
            </li>
          ))}
        </ul>
        <button className="button" onClick={() => change({ ingredients: [...recipe.ingredients, "Salt"] })}>
          Add salt
        </button>
      </section>
      <CopilotChat agentId="shared_state" threadId={threadId} />
    </>
  );
}
