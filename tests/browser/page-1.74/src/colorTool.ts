/** The tool that the pages offer to the agent. */
export const colorTool = {
  name: "setBackgroundColor",
  description: "Set the background color of the page.",
};

export const done = (color: string) => `The background is now ${color}.`;
export const refused = "The user keeps the background as it is.";
