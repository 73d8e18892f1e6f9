// Applies upstream's event transforms to recorded runs: a JSON list of {input, events, options} on standard input.
import { readFileSync } from "node:fs";
import { transformRecordedEvents } from "@copilotkit/shared/event-transforms";

const cases = JSON.parse(readFileSync(0, "utf8"));
console.warn = () => {};
const results = [];
for (const { input, events, options } of cases) {
  results.push(await transformRecordedEvents(input, events, options));
}
process.stdout.write(JSON.stringify(results));
