// Drives the real AG-UI clients. One JSON request a line on stdin, one JSON answer a line on stdout.
//
// {id, op: "open", page, kind, ...options} opens a page; {id, op, page, ...arguments} does something on it.
// The answer is {id, result} or {id, error}.
import { createInterface } from "node:readline";
import { AguiPage } from "./agui_page.mjs";
import { CorePage } from "./core_page.mjs";
import { plain } from "./page.mjs";
import { ReactPage } from "./react_page.mjs";

const kinds = { agui: AguiPage, core: CorePage, react: ReactPage };
const pages = new Map();
const { write } = process.stdout;
const send = (message) => write.call(process.stdout, JSON.stringify(message) + "\n");

async function perform({ op, page: id, kind, ...options }) {
  if (op === "open") pages.set(id, new kinds[kind](id, options));
  const page = pages.get(id);
  if (op === "close") pages.delete(id);
  return page[op](options);
}

// A closed page leaves promises behind that nobody waits for.
process.on("unhandledRejection", () => {});
console.log = console.info = console.warn = console.error = console.debug = () => {};
createInterface({ input: process.stdin }).on("line", async (line) => {
  const { id, ...request } = JSON.parse(line);
  try {
    send({ id, result: plain(await perform(request)) });
  } catch (error) {
    send({ id, error: error.stack ?? String(error) });
  }
});
