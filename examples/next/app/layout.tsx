import type { Metadata } from "next";
import type { ReactNode } from "react";

import "@copilotkit/react-core/v2/styles.css";
import "./page.css";

export const metadata: Metadata = { title: "CopilotKit app" };

export default function RootLayout({ children }: { children: ReactNode }) {
  return (
    <html lang="en">
      <body>{children}</body>
    </html>
  );
}
