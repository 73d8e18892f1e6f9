import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

export default defineConfig({
  // Relative URLs: the built page works from any folder of any static server.
  base: "./",
  plugins: [react()],
  build: { chunkSizeWarningLimit: 8192 },
});
