// The TypeScript SDK of OpenAI with chat completions, as a program of its user would use it. One scenario per run.
import { createRequire } from "node:module";
import { hangUp, needed, tools, report } from "./program.mts";

const { OpenAI } = createRequire(needed("SDK_FOLDER") + "/")("openai");
const client = new OpenAI({ baseURL: needed("GATEWAY") + "/v1", apiKey: "dummy", maxRetries: 1 });
const asked = { model: "local-model", messages: [{ role: "user", content: needed("PROMPT") }] };

async function loop(stream: boolean): Promise<object> {
  const runnable = tools.map(({ name, schema, run }) => ({
    type: "function",
    function: { name, description: name, parameters: schema, parse: JSON.parse, function: run },
  }));
  const runner = client.chat.completions.runTools({ ...asked, tools: runnable, stream });
  const text = await runner.finalContent();
  return { turns: runner.allChatCompletions().length, text, stop: (await runner.finalChatCompletion()).choices[0].finish_reason };
}

async function stream(): Promise<object> {
  let text = "";
  const events = client.chat.completions.stream(asked);
  events.on("content", (piece: string) => (text += piece));
  const completion = await events.finalChatCompletion().catch((error: unknown) => ({ error, text }));
  if ("error" in completion) throw Object.assign(completion.error as Error, { seen: completion.text });
  return { text };
}

async function scored(): Promise<object> {
  const { choices } = await client.chat.completions.stream({ ...asked, logprobs: true }).finalChatCompletion();
  const [{ message, finish_reason, logprobs }] = choices;
  const tokens = logprobs.content.map(({ token }: { token: string }) => token);
  return { turns: 1, text: message.content, stop: finish_reason, tokens };
}

async function hang(): Promise<object> {
  const events = client.chat.completions.stream(asked);
  events.done().catch(() => undefined);
  return hangUp(() => events.abort(), (seen) => events.on("content", seen));
}

await report({ loop: () => loop(true), non_stream: () => loop(false), stream, hang, scored });
