// The tools that this page offers to agents.

import { theme, THEMES } from "./settings.js";

const string = (description, choices) => ({ type: "string", description, ...(choices ? { enum: choices } : {}) });

function setBackground({ color }) {
  if (!CSS.supports("color", color)) return `${color} is not a CSS colour.`;
  document.documentElement.style.setProperty("--tint", color);
  return `The background is ${color} now.`;
}

function setTheme({ theme: name }) {
  if (!THEMES.includes(name)) return `${name} is not a theme: use ${THEMES.join(", ")}.`;
  theme.set(name);
  return `The theme is ${name} now.`;
}

const TOOLS = [
  {
    name: "set_background_color",
    description: "Change the background colour of the user's page.",
    parameters: { type: "object", properties: { color: string("A CSS colour") }, required: ["color"] },
    run: setBackground,
  },
  {
    name: "set_theme",
    description: "Make the user's page light or dark, or let the user's system decide.",
    parameters: { type: "object", properties: { theme: string("The theme", THEMES) }, required: ["theme"] },
    run: setTheme,
  },
];

/** The tools as an AG-UI run declares them. */
export const declarations = TOOLS.map(({ name, description, parameters }) => ({ name, description, parameters }));

export const offers = (name) => TOOLS.some((tool) => tool.name === name);

/** Runs a tool call of an agent and returns its result, a string. */
export function run({ name, arguments: text }) {
  try {
    const values = JSON.parse(text || "{}");
    return TOOLS.find((tool) => tool.name === name).run(Object(values));
  } catch (error) {
    return `The call failed: ${error.message}`;
  }
}
