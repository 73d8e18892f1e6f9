import { readFile } from "node:fs/promises";

import react from "@vitejs/plugin-react";
import { codeToHtml } from "shiki";
import { defineConfig, type Plugin } from "vite";

/** `import html from "./file.py?code"`: the file in colours, for light and dark pages. */
const code: Plugin = {
  name: "code",
  enforce: "pre",
  async load(id) {
    const [path, query] = id.split("?");
    if (query !== "code") return null;
    this.addWatchFile(path);
    const html = await codeToHtml((await readFile(path, "utf8")).trimEnd(), {
      lang: { py: "python", html: "html" }[path.split(".").at(-1)!] ?? "tsx",
      themes: { light: "github-light", dark: "github-dark-dimmed" },
      defaultColor: false,
    });
    return { code: `export default ${JSON.stringify(html)};`, moduleType: "js" };
  },
};

export default defineConfig({
  base: "./",
  plugins: [code, react()],
  server: { proxy: { "/api/copilotkit": "http://127.0.0.1:8000" }, fs: { allow: [".."] } },
  build: { chunkSizeWarningLimit: 8192 },
});
