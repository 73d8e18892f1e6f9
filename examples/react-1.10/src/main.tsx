import { CopilotKit } from "@copilotkit/react-core";
import "@copilotkit/react-ui/styles.css";
import { createRoot } from "react-dom/client";

import { Page } from "./Page";
import "./page.css";

createRoot(document.getElementById("root")!).render(
  <CopilotKit runtimeUrl="/api/copilotkit" agent="demo">
    <Page />
  </CopilotKit>,
);
