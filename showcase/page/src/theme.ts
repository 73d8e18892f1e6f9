import { useEffect, useState } from "react";

export interface Theme {
  isDark: boolean;
  toggle: () => void;
}

/** Dark or light: as the system has it, until the user chooses. */
export function useTheme(): Theme {
  const [isDark, setDark] = useState(
    () =>
      (localStorage.getItem("theme") ??
        (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark",
  );
  useEffect(() => {
    document.documentElement.classList.toggle("dark", isDark);
  }, [isDark]);
  return {
    isDark,
    toggle: () => {
      localStorage.setItem("theme", isDark ? "light" : "dark");
      setDark(!isDark);
    },
  };
}
