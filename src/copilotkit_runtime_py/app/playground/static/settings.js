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

const THREADS = 50; // with stored notes; the oldest are dropped
const allNotes = setting("notes", {});

/** What the page has added to a thread: see `Conversation.note`. */
export const notes = {
  get: (threadId) => allNotes.get()[threadId] ?? [],
  set(threadId, value) {
    const { [threadId]: before, ...others } = allNotes.get();
    allNotes.set(Object.fromEntries([...Object.entries(others).slice(1 - THREADS), [threadId, value]]));
  },
};

/** Whether the agent is asked for suggestions after each of its answers. */
export const suggesting = setting("suggesting", false);

/** Which contract runs speak: "rest", "single" or "graphql". */
export const wire = setting("wire", "rest");

/** A header for every request of the page: its name and its value. */
export const header = setting("header", { name: "Authorization", value: "" });

export function requestHeaders() {
  const { name, value } = header.get();
  return name && value ? { [name]: value } : {};
}

/** The widths of the panes at the sides, in pixels. */
export const widths = {
  get() {
    try {
      return JSON.parse(localStorage.getItem("playground.widths")) ?? {};
    } catch {
      return {};
    }
  },
  set(value) {
    try {
      localStorage.setItem("playground.widths", JSON.stringify(value));
    } catch { /* the page works without a memory */ }
  },
};

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
