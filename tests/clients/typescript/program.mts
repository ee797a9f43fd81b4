// What the programs of this folder share: the tools, the scenarios' names, and the object that is printed at the end.
import { execSync } from "node:child_process";
import { writeFileSync } from "node:fs";

type Arguments = Record<string, string>;

export function needed(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set`);
  return value;
}

function text(...names: string[]): object {
  const properties = Object.fromEntries(names.map((name) => [name, { type: "string" }]));
  return { type: "object", properties, required: names, additionalProperties: false };
}

export const tools = [
  {
    name: "write",
    schema: text("path", "content"),
    run: async ({ path, content }: Arguments): Promise<string> => {
      writeFileSync(path, content);
      return "written";
    },
  },
  {
    name: "execute",
    schema: text("command"),
    run: async ({ command }: Arguments): Promise<string> => execSync(command).toString(),
  },
];

/** Ends the stream at its first words. */
export async function hangUp(abort: () => void, onText: (seen: () => void) => void): Promise<object> {
  await new Promise<void>((seen) => onText(seen));
  abort();
  await new Promise((later) => setTimeout(later, 1000)); // the program goes on: it is the request that was left
  return { aborted: true };
}

export async function report(scenarios: Record<string, () => Promise<object>>): Promise<void> {
  try {
    console.log(JSON.stringify(await scenarios[needed("SCENARIO")]()));
  } catch (error) {
    const { name, message, status, code, type, seen } = error as Record<string, unknown>;
    const kind = (error as object).constructor.name;
    console.log(JSON.stringify({ error: { kind, name, message, status, code, type, seen } }));
  }
}
