// Builds the page once on each version of CopilotKit that is installed here, into dist/<version>.
import react from "@vitejs/plugin-react";
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { build } from "vite";

const { dependencies } = JSON.parse(readFileSync("package.json", "utf8"));

// Where a version's packages are. react-ui has copies of the others, with React contexts of their own.
function packagesOf(version) {
  const nested = (name) => `node_modules/react-core-${version}/node_modules/@copilotkit/${name}`;
  const hoisted = (name) => `node_modules/@copilotkit/${name}`;
  const entry = (name) => resolve([nested(name), hoisted(name)].find(existsSync), "dist/index.mjs");
  return {
    "@copilotkit/react-core": `react-core-${version}`,
    "@copilotkit/react-ui": `react-ui-${version}`,
    "@copilotkit/runtime-client-gql": entry("runtime-client-gql"),
    "@copilotkit/shared": entry("shared"),
  };
}

for (const name of Object.keys(dependencies).filter((name) => name.startsWith("react-core-"))) {
  const version = name.slice("react-core-".length);
  await build({
    configFile: false,
    logLevel: "warn",
    base: "./",
    plugins: [react()],
    // The sources are those of another page, and find the packages of this one.
    resolve: { alias: packagesOf(version), preserveSymlinks: true },
    build: { outDir: `dist/${version}`, chunkSizeWarningLimit: 8192 },
  });
}
