// The panes at the sides of the chat: a person drags their edges, or moves them with the arrow keys.

import { $ } from "./dom.js";
import { widths } from "./settings.js";

const STEP = 16; // pixels
const LEAST = 180;
const MOST = 720;

/** Makes a separator resize a pane; `direction` is 1 if the pane is at its left, -1 if it is at its right. */
function enable(separator, pane, direction, usual) {
  const root = document.documentElement.style;
  const width = () => widths.get()[pane] ?? usual;
  const set = (pixels) => {
    const bounded = Math.round(Math.min(MOST, Math.max(LEAST, pixels)));
    widths.set({ ...widths.get(), [pane]: bounded });
    paint();
  };
  const paint = () => {
    root.setProperty(`--${pane}-width`, `${width()}px`);
    separator.setAttribute("aria-valuenow", width());
  };
  separator.setAttribute("aria-valuemin", LEAST);
  separator.setAttribute("aria-valuemax", MOST);
  separator.addEventListener("pointerdown", (event) => {
    const [start, before] = [event.clientX, width()];
    event.preventDefault();
    separator.setPointerCapture(event.pointerId);
    const move = ({ clientX }) => set(before + direction * (clientX - start));
    separator.addEventListener("pointermove", move);
    separator.addEventListener("lostpointercapture", () => separator.removeEventListener("pointermove", move), { once: true });
  });
  separator.addEventListener("dblclick", () => set(usual));
  separator.addEventListener("keydown", (event) => {
    const step = { ArrowRight: STEP, ArrowLeft: -STEP }[event.key];
    if (!step) return;
    event.preventDefault();
    set(width() + direction * step);
  });
  paint();
}

export function enablePanes() {
  enable($("threads-edge"), "threads", 1, 248);
  enable($("inspector-edge"), "inspector", -1, 400);
}
