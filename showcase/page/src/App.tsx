import { CopilotKit } from "@copilotkit/react-core/v2";
import { useEffect, useState } from "react";

import { addressOf, useAddress } from "./address";
import { Code } from "./Code";
import { Errors } from "./Errors";
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
  const theme = useTheme();
  const { default: Page, provider } = moduleOf(feature);

  useEffect(() => {
    setMenuOpen(false);
    setTab("demo");
    document.title = `${feature.heading ?? feature.title} · CopilotKit runtime for Python`;
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
          <CopilotKit
            key={feature.id}
            runtimeUrl="/api/copilotkit"
            agent={feature.id}
            enableInspector={false}
            {...provider}
          >
            <Page threadId={threadId} />
            <Errors />
          </CopilotKit>
        </div>
        {tab === "code" && <Code feature={feature} />}
      </main>
    </div>
  );
}
