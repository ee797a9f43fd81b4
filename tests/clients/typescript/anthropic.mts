// The TypeScript SDK of the Messages API, as a program of its user would use it. One scenario per run; prints one JSON
// object with what the program saw. Node takes the types away by itself; nothing is built.
import { createRequire } from "node:module";
import { hangUp, needed, tools, report } from "./program.mts";

const load = createRequire(needed("SDK_FOLDER") + "/");
const { Anthropic } = load("@anthropic-ai/sdk");
const { betaTool } = load("@anthropic-ai/sdk/helpers/beta/json-schema");
const client = new Anthropic({ baseURL: needed("GATEWAY"), apiKey: "dummy", maxRetries: 1 });
const asked = { model: "local-model", max_tokens: 1000, messages: [{ role: "user", content: needed("PROMPT") }] };

async function loop(stream: boolean): Promise<object> {
  const runnable = tools.map(({ name, schema, run }) =>
    betaTool({ name, description: name, inputSchema: schema, run }),
  );
  const runner = client.beta.messages.toolRunner({ ...asked, tools: runnable, stream });
  let turns = 0;
  for await (const turn of runner) {
    turns += 1;
    if (stream) await turn.finalMessage();
  }
  const last = await runner.done();
  return { turns, text: last.content.at(-1).text, stop: last.stop_reason };
}

async function stream(): Promise<object> {
  const events = client.messages.stream(asked);
  let text = "";
  events.on("text", (piece: string) => (text += piece));
  const message = await events.finalMessage().catch((error: unknown) => ({ error, text }));
  if ("error" in message) throw Object.assign(message.error as Error, { seen: message.text });
  return { text };
}

async function hang(): Promise<object> {
  const events = client.messages.stream(asked);
  events.done().catch(() => undefined);
  return hangUp(() => events.abort(), (seen) => events.on("text", seen));
}

await report({ loop: () => loop(true), non_stream: () => loop(false), stream, hang });
