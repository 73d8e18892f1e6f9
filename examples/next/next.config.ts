import type { NextConfig } from "next";

const runtime = process.env.RUNTIME_URL ?? "http://127.0.0.1:8000";

// To the page, the runtime is on its own origin: no CORS is needed, and cookies go along.
const nextConfig: NextConfig = {
  async rewrites() {
    return [
      { source: "/api/copilotkit", destination: `${runtime}/api/copilotkit` },
      { source: "/api/copilotkit/:path*", destination: `${runtime}/api/copilotkit/:path*` },
    ];
  },
};

export default nextConfig;
