// The built showcase in front of the real Node runtime, whose agents are remote ones. Prints its port.
//
// Usage: node showcase_reference.mjs <folder of the page> <base of the agents' URLs> <URL of the MCP server> <agent> ...
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { HttpAgent } from "@ag-ui/client";
import { CopilotRuntime, TranscriptionService } from "@copilotkit/runtime/v2";
import { createCopilotNodeListener } from "@copilotkit/runtime/v2/node";

const [page, base, cinema, ...names] = process.argv.slice(2);

/** Hears what the showcase's own service hears. */
class ScriptedTranscription extends TranscriptionService {
  async transcribeFile() {
    return "How far is the moon?";
  }
}

const runtime = new CopilotRuntime({
  agents: Object.fromEntries(names.map((name) => [name, new HttpAgent({ url: `${base}${name}/run` })])),
  a2ui: { agents: ["a2ui_fixed", "a2ui_dynamic", "a2ui_recovery"] },
  openGenerativeUI: { agents: ["open_ui"] },
  mcpApps: { servers: [{ type: "http", url: cinema, serverId: "cinema", agentId: "mcp_apps" }] },
  transcriptionService: new ScriptedTranscription(),
});
const listener = createCopilotNodeListener({ runtime, basePath: "/api/copilotkit", mode: "multi-route" });
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".woff2": "font/woff2" };

async function file(request, response) {
  const path = normalize(new URL(request.url, "http://page").pathname);
  try {
    const body = await readFile(join(page, path === "/" ? "index.html" : path));
    response.writeHead(200, { "content-type": TYPES[extname(path) || ".html"] ?? "application/octet-stream" }).end(body);
  } catch {
    response.writeHead(404).end();
  }
}

process.on("unhandledRejection", () => {});
const { log } = console;
console.log = console.info = console.warn = console.error = console.debug = () => {};

const server = createServer((request, response) =>
  (request.url.startsWith("/api/copilotkit") ? listener : file)(request, response),
);
server.listen(0, "127.0.0.1", () => log(server.address().port));
