// The state that the agent and the page share.

import { colour, pretty } from "./colour.js";
import { $, framed } from "./dom.js";

export class StateView {
  constructor(session) {
    this.session = session;
    this.shown = null;
    this.edited = null; // the conversation whose state waits for the next message
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
    const { conversation } = this.session;
    const { state, running } = conversation;
    if (conversation !== this.conversation) {
      this.conversation = conversation;
      this.#show(false);
    }
    if (running) this.edited = null;
    $("state-note").textContent = this.edited === conversation ? "Goes with your next message." : "";
    if (state === this.shown) return;
    this.shown = state;
    const text = pretty(state ?? null);
    if ($("state-view").textContent !== text) colour($("state-view"), text);
  }

  #show(form) {
    $("state-form").hidden = !form;
    $("state-view").hidden = form;
    $("state-edit").hidden = form;
    $("state-problem").textContent = "";
  }

  #edit(open) {
    this.#show(open);
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
      $("state-problem").textContent = `This is not valid JSON: ${error.message}`;
      return;
    }
    this.edited = this.session.conversation;
    this.session.setState(state);
    this.#edit(false);
  }
}
