// The TypeScript SDK of OpenAI with the Responses API, which has no tool runner: the loop is the program's own.
import { createRequire } from "node:module";
import { hangUp, needed, tools, report } from "./program.mts";

const { OpenAI } = createRequire(needed("SDK_FOLDER") + "/")("openai");
const client = new OpenAI({ baseURL: needed("GATEWAY") + "/v1", apiKey: "dummy", maxRetries: 1 });
const asked = { model: "local-model", store: false };
const prompt = { role: "user", content: needed("PROMPT") };

async function loop(stream: boolean): Promise<object> {
  const functions = tools.map(({ name, schema }) => ({ type: "function", name, parameters: schema, strict: false }));
  const input: object[] = [prompt];
  for (let turns = 1; ; turns += 1) {
    const request = { ...asked, input, tools: functions, include: ["reasoning.encrypted_content"] };
    const response = stream
      ? await client.responses.stream(request).finalResponse()
      : await client.responses.create(request);
    const calls = response.output.filter((item: { type: string }) => item.type === "function_call");
    if (calls.length === 0) return { turns, text: response.output_text, stop: response.status };
    input.push(...response.output);
    for (const call of calls) {
      const tool = tools.find(({ name }) => name === call.name)!;
      const output = await tool.run(JSON.parse(call.arguments));
      input.push({ type: "function_call_output", call_id: call.call_id, output });
    }
  }
}

async function stream(): Promise<object> {
  let text = "";
  const events = client.responses.stream({ ...asked, input: [prompt] });
  events.on("response.output_text.delta", (event: { delta: string }) => (text += event.delta));
  const failed: { message?: string } = {};
  events.on("response.failed", (event: any) => Object.assign(failed, event.response.error));
  const response = await events.finalResponse().catch((error: unknown) => ({ error }));
  if ("error" in response && response.error instanceof Error) throw Object.assign(response.error, { seen: text });
  if (failed.message) throw Object.assign(new Error(failed.message), { ...failed, seen: text });
  return { text };
}

async function hang(): Promise<object> {
  const events = client.responses.stream({ ...asked, input: [prompt] });
  events.done().catch(() => undefined);
  return hangUp(() => events.abort(), (seen) => events.on("response.output_text.delta", seen));
}

await report({ loop: () => loop(true), non_stream: () => loop(false), stream, hang });
