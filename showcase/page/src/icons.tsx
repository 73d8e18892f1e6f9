import type { ReactNode } from "react";

const Icon = ({ children }: { children: ReactNode }) => (
  <svg viewBox="0 0 20 20" width="18" height="18" fill="none" stroke="currentColor" strokeWidth="1.6" strokeLinecap="round" strokeLinejoin="round" aria-hidden>
    {children}
  </svg>
);

export const MenuIcon = () => (
  <Icon>
    <path d="M3 6h14M3 10h14M3 14h9" />
  </Icon>
);

export const PlusIcon = () => (
  <Icon>
    <path d="M10 4v12M4 10h12" />
  </Icon>
);

export const MoonIcon = () => (
  <Icon>
    <path d="M16.5 11.6A6.8 6.8 0 0 1 8.4 3.5a6.8 6.8 0 1 0 8.1 8.1Z" />
  </Icon>
);

export const SunIcon = () => (
  <Icon>
    <circle cx="10" cy="10" r="3.3" />
    <path d="M10 2v1.6M10 16.4V18M2 10h1.6M16.4 10H18M4.3 4.3l1.2 1.2M14.5 14.5l1.2 1.2M15.7 4.3l-1.2 1.2M5.5 14.5l-1.2 1.2" />
  </Icon>
);

const CLOUD = "M6 15.5h8.2a3 3 0 0 0 .4-6 4.6 4.6 0 0 0-8.8-1A3.5 3.5 0 0 0 6 15.5Z";

/** The weather in a picture. */
export const Sky = ({ sky }: { sky: "sun" | "cloud" | "rain" }) =>
  sky === "sun" ? (
    <SunIcon />
  ) : (
    <Icon>
      <path d={CLOUD} transform={sky === "rain" ? "translate(0 -3)" : undefined} />
      {sky === "rain" && <path d="M7 14.5l-1 3M10.5 14.5l-1 3M14 14.5l-1 3" />}
    </Icon>
  );
