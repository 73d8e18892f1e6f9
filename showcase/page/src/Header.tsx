import type { Feature } from "./features";
import { MenuIcon, MoonIcon, PlusIcon, SunIcon } from "./icons";
import type { Theme } from "./theme";

interface Props {
  feature: Feature;
  tab: "demo" | "code";
  onTab: (tab: "demo" | "code") => void;
  onMenu: () => void;
  onNewThread: () => void;
  theme: Theme;
}

export function Header({ feature, tab, onTab, onMenu, onNewThread, theme }: Props) {
  return (
    <header>
      <button className="icon menu" aria-label="Features" onClick={onMenu}>
        <MenuIcon />
      </button>
      <div className="title">
        <h1>{feature.heading ?? feature.title}</h1>
        <p>{feature.summary}</p>
      </div>
      <div className="tabs" role="tablist">
        {(["demo", "code"] as const).map((name) => (
          <button key={name} role="tab" aria-selected={tab === name} onClick={() => onTab(name)}>
            {name === "demo" ? "Demo" : "Code"}
          </button>
        ))}
      </div>
      <button className="icon" aria-label="New thread" title="New thread" onClick={onNewThread}>
        <PlusIcon />
      </button>
      <button className="icon" aria-label="Theme" title="Dark or light" onClick={theme.toggle}>
        {theme.isDark ? <SunIcon /> : <MoonIcon />}
      </button>
    </header>
  );
}
