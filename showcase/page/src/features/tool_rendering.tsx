import { CopilotChat, useConfigureSuggestions, useRenderTool } from "@copilotkit/react-core/v2";
import { z } from "zod";

import type { PageProps } from "../features";
import { Sky } from "../icons";

interface Forecast {
  place: string;
  sky: "sun" | "cloud" | "rain";
  degrees: number;
  wind: number;
}

export default function ToolRendering({ threadId }: PageProps) {
  // The server runs the tool; the page only draws it.
  useRenderTool({
    name: "get_weather",
    parameters: z.object({ place: z.string() }),
    render: ({ parameters, status, result }) => (
      <Weather place={parameters.place ?? "…"} forecast={status === "complete" ? JSON.parse(result) : undefined} />
    ),
  });
  useConfigureSuggestions({
    suggestions: [
      { title: "Weather in Lisbon", message: "What is the weather in Lisbon?" },
      { title: "Compare two places", message: "Compare the weather in Oslo and Cairo" },
    ],
    available: "before-first-message",
  });
  return <CopilotChat agentId="tool_rendering" threadId={threadId} />;
}

function Weather({ place, forecast }: { place: string; forecast?: Forecast }) {
  return (
    <article className="weather" data-testid="weather" data-sky={forecast?.sky}>
      <h3>{place}</h3>
      {forecast ? (
        <>
          <strong>{forecast.degrees}°</strong>
          <Sky sky={forecast.sky} />
          <p>Wind {forecast.wind} km/h</p>
        </>
      ) : (
        <p>Looking it up…</p>
      )}
    </article>
  );
}
