// The state that the agent and the page share.

import { colour, JSON_TOKENS, pretty } from "./colour.js";
import { $, framed } from "./dom.js";

export class StateView {
  constructor(session) {
    this.session = session;
    this.shown = null;
    this.edited = false;
    const paint = framed(() => this.paint());
    session.addEventListener("change", paint);
    $("state-edit").addEventListener("click", () => this.#edit(true));
    $("state-cancel").addEventListener("click", () => this.#edit(false));
    $("state-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#apply();
    });
    $("state-text").addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.#apply();
      else if (event.key === "Escape") {
        event.stopPropagation();
        this.#edit(false);
      }
    });
  }

  paint() {
    const { state, running } = this.session.conversation;
    if (running) this.edited = false;
    $("state-note").textContent = this.edited ? "Goes with your next message." : "";
    if (state === this.shown) return;
    this.shown = state;
    const text = pretty(state ?? null);
    if ($("state-view").textContent !== text) colour($("state-view"), text, JSON_TOKENS);
  }

  #edit(open) {
    $("state-form").hidden = !open;
    $("state-view").hidden = open;
    $("state-edit").hidden = open;
    $("state-problem").textContent = "";
    if (!open) {
      $("state-edit").focus();
      return;
    }
    $("state-text").value = JSON.stringify(this.session.conversation.state ?? {}, null, 2);
    $("state-text").focus();
  }

  #apply() {
    let state;
    try {
      state = JSON.parse($("state-text").value);
    } catch (error) {
      $("state-problem").textContent = `This is no JSON: ${error.message}`;
      return;
    }
    this.edited = true;
    this.session.setState(state);
    this.#edit(false);
  }
}
