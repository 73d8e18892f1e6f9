import { CopilotKitProvider } from "@copilotkit/react-core/v2";
import "@copilotkit/react-core/v2/styles.css";
import { createRoot } from "react-dom/client";

import { Page } from "./Page";
import "./page.css";

createRoot(document.getElementById("root")!).render(
  <CopilotKitProvider runtimeUrl="/api/copilotkit">
    <Page />
  </CopilotKitProvider>,
);
