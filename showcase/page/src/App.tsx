import { CopilotKitProvider } from "@copilotkit/react-core/v2";
import { useEffect, useState } from "react";

import { addressOf, useAddress } from "./address";
import { Code } from "./Code";
import { features, groups, moduleOf } from "./features";
import { Header } from "./Header";
import { Navigation } from "./Navigation";
import { useTheme } from "./theme";

export function App() {
  const { featureId, threadId } = useAddress(features[0].id);
  const feature = features.find(({ id }) => id === featureId) ?? features[0];
  const group = groups.find((group) => group.features.includes(feature))!;
  const [tab, setTab] = useState<"demo" | "code">("demo");
  const [menuOpen, setMenuOpen] = useState(false);
  const [errors, setErrors] = useState<string[]>([]);
  const theme = useTheme();
  const { default: Page, provider } = moduleOf(feature);

  useEffect(() => {
    setMenuOpen(false);
    setTab("demo");
    setErrors([]);
    document.title = `${feature.title} · CopilotKit runtime for Python`;
  }, [feature]);

  return (
    <div className="shell" data-group={group.id} data-menu={menuOpen}>
      <Navigation current={feature} onClose={() => setMenuOpen(false)} />
      <main>
        <Header
          feature={feature}
          tab={tab}
          onTab={setTab}
          onMenu={() => setMenuOpen(true)}
          onNewThread={() => window.location.assign(addressOf(feature.id))}
          theme={theme}
        />
        {/* The demo goes on while its code is read. */}
        <div className="stage" hidden={tab === "code"} data-testid="stage" data-thread={threadId}>
          <CopilotKitProvider
            key={feature.id}
            runtimeUrl="/api/copilotkit"
            enableInspector={false}
            onError={({ error }) => setErrors((known) => [...known, error.message])}
            {...provider}
          >
            <Page threadId={threadId} />
          </CopilotKitProvider>
        </div>
        {tab === "code" && <Code feature={feature} />}
        {errors.length > 0 && (
          <p className="error" role="alert">
            {errors.at(-1)} <button onClick={() => setErrors([])}>Dismiss</button>
          </p>
        )}
      </main>
    </div>
  );
}
