import type { HistoryEntry } from "../../src/testing/simulation/index.ts";
import type { Plan } from "../plan.ts";

type Data = Readonly<Record<string, unknown>>;

/** A call, and its answer if one came. Times are epoch milliseconds of true time. */
export interface RecordedOperation {
  readonly id: number;
  readonly operation: string;
  readonly process: string | null;
  readonly began: number;
  /** `Infinity` when no answer came. */
  readonly ended: number;
  readonly call: Data;
  /** `null` when no answer came. */
  readonly answer: Data | null;
}

/** What the checks read. */
export interface RunHistory {
  readonly plan: Plan;
  readonly history: readonly HistoryEntry[];
  readonly startedAt: number;
}

/** The operations of a history, in the order of their calls. */
export function operationsOf(history: readonly HistoryEntry[]): RecordedOperation[] {
  const answers = new Map<unknown, HistoryEntry>();
  for (const entry of history) if (entry.kind === "answer") answers.set(entry.data["id"], entry);
  return history
    .filter(({ kind }) => kind === "call")
    .map(({ at, process, data }) => {
      const answer = answers.get(data["id"]);
      return {
        id: data["id"] as number,
        operation: data["operation"] as string,
        process,
        began: at,
        ended: answer?.at ?? Infinity,
        call: data,
        answer: answer?.data ?? null,
      };
    });
}
