// What the page remembers: the theme for good, all else until the tab is closed.

function read(name, fallback) {
  try {
    return JSON.parse(sessionStorage.getItem(`playground.${name}`)) ?? fallback;
  } catch {
    return fallback;
  }
}

function write(name, value) {
  try {
    sessionStorage.setItem(`playground.${name}`, JSON.stringify(value));
  } catch { /* the page works without a memory */ }
}

const setting = (name, fallback) => ({ get: () => read(name, fallback), set: (value) => write(name, value) });

/** The agent and the thread that the chat shows. */
export const place = setting("place", {});

/** Which contract runs speak: "rest", "single" or "graphql". */
export const wire = setting("wire", "rest");

/** A header for every request of the page: its name and its value. */
export const header = setting("header", { name: "Authorization", value: "" });

export function requestHeaders() {
  const { name, value } = header.get();
  return name && value ? { [name]: value } : {};
}

export const THEMES = ["auto", "light", "dark"];

export const theme = {
  get: () => document.documentElement.dataset.theme ?? "auto",
  set(value) {
    document.documentElement.dataset.theme = value;
    try {
      localStorage.setItem("playground.theme", value);
    } catch { /* the page works without a memory */ }
  },
};
