// Runs `CopilotTask` or `extract` of the real react-core, which bypass the chat and name no agent.
//
// node task.mjs <what> <url>: prints the calls of the page's action, or what was extracted, as JSON.
import { createRequire } from "node:module";

const require = createRequire(new URL("../browser/page-1.10/package.json", import.meta.url));
const { CopilotTask, extract } = require("@copilotkit/react-core");
const { CopilotRuntimeClient } = require("@copilotkit/runtime-client-gql");

globalThis.window = { location: { href: "http://localhost/" } };

const [what, url] = process.argv.slice(2);
const parameters = [{ name: "color", type: "string", description: "A CSS color", required: true }];
const called = [];
const context = {
  actions: { setColor: { name: "setColor", description: "Sets the color.", parameters } },
  copilotApiConfig: { chatApiEndpoint: url, headers: {}, properties: {} },
  runtimeClient: new CopilotRuntimeClient({ url }),
  getContextString: () => "The page is red.",
  getFunctionCallHandler: () => async ({ name, args }) => called.push({ name, args }),
  messages: [],
};

const run = {
  task: async () => {
    await new CopilotTask({ instructions: "Make it blue." }).run(context);
    return called;
  },
  extract: () => extract({ context, instructions: "Find the color.", parameters, data: "A blue page" }),
};

process.stdout.write(JSON.stringify(await run[what]()));
