import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// The page and the runtime are one origin, as behind a proxy in production: no CORS.
export default defineConfig({
  plugins: [react()],
  server: { proxy: { "/api/copilotkit": "http://127.0.0.1:8000" } },
  build: { chunkSizeWarningLimit: 8192 },
});
