import type { HistoryEntry } from "../src/testing/simulation/index.ts";
import type { SimulationResult } from "./simulate.ts";

/** Kinds of operations that a short time line shows only when they fail. */
const frequent: ReadonlySet<unknown> = new Set([
  "verdict",
  "request",
  "served",
  "health",
  "message",
  "visit",
  "verify",
]);

/** Returns the lines of a run, in the order of time. `all` includes the requests that succeeded. */
export function timeLine({ history, violations, startedAt }: SimulationResult, all: boolean): string[] {
  const calls = new Map<unknown, HistoryEntry>();
  const line = (at: number, process: string | null, text: string) => {
    const seconds = (at - startedAt) / 1_000;
    const time = `${Math.floor(seconds / 60)}:${(seconds % 60).toFixed(3).padStart(6, "0")}`;
    return { at, text: `${time.padStart(11)}  ${(process ?? "world").padEnd(16)}${text}` };
  };
  const lines = history.flatMap((entry) => {
    const { at, process, kind, data } = entry;
    if (kind === "call") calls.set(data["id"], entry);
    if (kind === "call" || kind === "guard status") return [];
    if (kind !== "answer") return [line(at, process, `${kind} ${describe(data)}`)];
    const call = calls.get(data["id"]);
    calls.delete(data["id"]);
    const { operation, id: _, ...details } = call?.data ?? {};
    const isGood = data["status"] === 200 || data["status"] === "valid";
    if (frequent.has(operation) && isGood && !all) return [];
    const { id: __, ...answer } = data;
    const took = ((at - (call?.at ?? at)) / 1_000).toFixed(3);
    return [line(at, process, `${String(operation)} ${describe(details)} → ${describe(answer)} (${took} s)`)];
  });
  for (const { at, process, data } of calls.values()) {
    lines.push(line(at, process, `${describe(data)} → no answer`));
  }
  for (const { at, process, check, message } of violations) {
    lines.push(line(at, process, `✖ ${check}: ${message}`));
  }
  return lines.toSorted((one, other) => one.at - other.at).map(({ text }) => text);
}

function describe(data: Readonly<Record<string, unknown>>): string {
  return Object.entries(data)
    .filter(([, value]) => value !== undefined && value !== null && value !== 0)
    .map(([name, value]) =>
      name === "status" || name === "fault"
        ? String(value)
        : `${name}=${Array.isArray(value) ? value.length : String(value)}`,
    )
    .join(" ");
}
