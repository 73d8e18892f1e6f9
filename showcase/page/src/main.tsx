import "@copilotkit/react-core/v2/styles.css";
import "@fontsource-variable/geist-mono";
import "@fontsource-variable/instrument-sans/standard.css";
import { createRoot } from "react-dom/client";

import { App } from "./App";
import "./styles/base.css";
import "./styles/shell.css";
import "./styles/chat.css";
import "./styles/features.css";

createRoot(document.getElementById("root")!).render(<App />);
