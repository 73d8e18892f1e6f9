// The list of threads: open, rename, archive, delete.

import { $, announce, el, iconButton } from "./dom.js";
import { text } from "./graphql_run.js";
import { resource } from "./transport.js";

const PAGE = 30;
const NAME_LENGTH = 60;
const UNITS = [["year", 31536e6], ["month", 2592e6], ["day", 864e5], ["hour", 36e5], ["minute", 6e4]];
const AGO = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "short" });

export class Threads {
  constructor(session, opened) {
    this.session = session;
    this.opened = opened; // called when a person has chosen a thread
    this.rows = [];
    this.cursor = null;
    $("archived").addEventListener("change", () => this.refresh());
    $("more").addEventListener("click", () => this.refresh(true));
    session.addEventListener("started", () => this.#started());
    session.addEventListener("settled", () => this.refresh());
    session.addEventListener("change", () => this.#markCurrent());
  }

  /** Loads the list again, or its next page. */
  async refresh(more = false) {
    const query = new URLSearchParams({ limit: PAGE });
    if ($("archived").checked) query.set("includeArchived", "true");
    if (more && this.cursor) query.set("cursor", this.cursor);
    try {
      const { threads, nextCursor } = await resource("GET", `/threads?${query}`);
      this.rows = more ? [...this.rows, ...threads] : threads;
      this.cursor = nextCursor;
      $("threads-note").textContent = this.rows.length ? "" : "No threads yet.";
      this.#paint();
    } catch (error) {
      $("threads-note").textContent = `Could not load the threads: ${error.message}`;
    }
  }

  /** Shows a new thread. */
  #started() {
    const { threadId } = this.session.conversation;
    if (!this.rows.some((each) => each.id === threadId)) this.refresh();
  }

  async #change(row, change) {
    await this.#ask("PATCH", row, "", change);
  }

  async #ask(method, row, action = "", body = undefined) {
    try {
      await resource(method, `/threads/${encodeURIComponent(row.id)}${action}`, body);
    } catch (error) {
      $("threads-note").textContent = error.message;
      return;
    }
    await this.refresh();
  }

  #paint() {
    $("thread-list").replaceChildren(...this.rows.map((row) => this.#row(row)));
    $("more").hidden = !this.cursor;
    this.#markCurrent();
  }

  #paintTitle() {
    const { conversation } = this.session;
    const first = conversation.messages.find((message) => message.role === "user");
    const row = this.rows.find((each) => each.id === conversation.threadId);
    const title = row?.name ?? (first ? titleOf(first) : "New thread");
    $("chat-title").textContent = title;
    $("chat-title").title = title;
    document.title = `${title} · Playground · copilotkit-runtime-py`;
  }

  #markCurrent() {
    this.#paintTitle();
    for (const item of $("thread-list").children) {
      const current = item.dataset.id === this.session.conversation.threadId;
      item.classList.toggle("current", current);
      item.querySelector(".open")?.setAttribute("aria-current", String(current));
    }
  }

  #row(row) {
    const item = el("li", { "data-id": row.id, class: row.archived ? "archived" : "" });
    const open = el("button", { type: "button", class: "open", title: row.id, onclick: () => this.#open(row) },
      el("span", { class: "name" }, row.name ?? "Untitled thread"),
      el("small", {}, `${row.agentId} · ${ago(row.lastRunAt)}${row.archived ? " · archived" : ""}`));
    const label = row.name ?? "untitled thread";
    item.append(open, el("span", { class: "actions" },
      iconButton("rename", `Rename ${label}`, () => this.#rename(item, row)),
      row.archived
        ? iconButton("unarchive", `Unarchive ${label}`, () => this.#change(row, { archived: false }))
        : iconButton("archive", `Archive ${label}`, () => this.#ask("POST", row, "/archive")),
      iconButton("delete", `Delete ${label}`, () => this.#confirm(row))));
    return item;
  }

  #open(row) {
    this.opened();
    this.session.open(row.agentId, row.id);
  }

  #rename(item, row) {
    const field = el("input", { type: "text", "aria-label": "Name of the thread", maxlength: 200 });
    field.value = row.name ?? "";
    let over = false;
    const end = (save) => {
      if (over) return;
      over = true;
      if (save && field.value.trim()) this.#change(row, { name: field.value.trim() });
      else this.#paint();
    };
    field.addEventListener("keydown", (event) => {
      if (event.key === "Enter") end(true);
      else if (event.key === "Escape") {
        event.stopPropagation();
        end(false);
      }
    });
    field.addEventListener("blur", () => end(true));
    item.replaceChildren(field);
    field.focus();
    field.select();
  }

  #confirm(row) {
    $("delete-title").textContent = `Delete “${row.name ?? "Untitled thread"}”?`;
    $("delete-details").textContent = `This deletes the messages of thread ${row.id} with agent ${row.agentId}. It cannot be undone.`;
    $("delete-confirm").onclick = () => this.#delete(row);
    $("delete-dialog").showModal();
  }

  async #delete(row) {
    if (row.id === this.session.conversation.threadId) this.session.begin(this.session.agent);
    await this.#ask("DELETE", row);
    announce("Deleted.");
  }
}

const titleOf = ({ content }) => text(content).trim().replace(/\s+/g, " ").slice(0, NAME_LENGTH) || "Untitled thread";

function ago(time) {
  const elapsed = new Date(time) - Date.now();
  const [unit, size] = UNITS.find((each) => Math.abs(elapsed) >= each[1]) ?? [null, 1];
  return unit ? AGO.format(Math.round(elapsed / size), unit) : "now";
}
