import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

export default defineConfig({
  // Relative URLs: the built pages work from any folder of any static server.
  base: "./",
  plugins: [react()],
  build: {
    chunkSizeWarningLimit: 8192,
    rolldownOptions: { input: ["v1.html", "v2.html"] },
  },
});
