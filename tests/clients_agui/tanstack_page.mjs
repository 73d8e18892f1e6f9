// A page with TanStack AI's client: sends one message, and loses its connection at the word that is given.
// Usage: node tanstack_page.mjs URL WORD. Prints the requests, and the assistant's text, as JSON.
import { ChatClient, fetchServerSentEvents } from "@tanstack/ai-client";

const [url, word] = process.argv.slice(2);
const requests = [];

async function cutOnce(input, init) {
  const again = requests.length > 0;
  requests.push({ runId: JSON.parse(init.body).runId, lastEventId: init.headers["Last-Event-ID"] ?? null });
  const response = await fetch(input, init);
  if (again) return response;
  const decoder = new TextDecoder();
  const reader = response.body.getReader();
  let seen = "";
  const body = new ReadableStream({
    async pull(controller) {
      const { value } = await reader.read();
      seen += decoder.decode(value, { stream: true });
      if (!seen.includes(word)) return controller.enqueue(value);
      // All frames up to the word arrive, and then the connection is gone.
      const end = seen.indexOf("\n\n", seen.indexOf(word)) + 2;
      controller.enqueue(value.slice(0, value.length - new TextEncoder().encode(seen.slice(end)).length));
      await reader.cancel();
      setTimeout(() => controller.error(new TypeError("network error")), 50);
    },
  });
  return new Response(body, response);
}

const client = new ChatClient({
  connection: fetchServerSentEvents(url, { fetchClient: cutOnce, reconnect: { delayMs: 50 } }),
  threadId: "t1",
});
await client.sendMessage("hi");
const answers = client.getMessages().filter((message) => message.role === "assistant");
const text = answers.flatMap((message) => message.parts).map((part) => part.content ?? "").join("");
console.log(JSON.stringify({ requests, answers: answers.length, text, status: client.getStatus() }));
process.exit(0);
