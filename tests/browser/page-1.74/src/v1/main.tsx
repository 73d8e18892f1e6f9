import { createRoot } from "react-dom/client";

import { App } from "./App";
import "@copilotkit/react-ui/styles.css";
import "../page.css";

createRoot(document.getElementById("root")!).render(<App />);
