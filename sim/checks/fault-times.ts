import type { RunHistory } from "./run-history.ts";

/** A step of the wall clock of a process, and the time at which it was taken back. */
export interface ClockStep {
  readonly process: string;
  readonly ms: number;
  readonly began: number;
  readonly ended: number;
}

/** A fault, and the time for which it held. */
export interface FaultTime {
  readonly fault: string;
  /** `null` when it hit no process. */
  readonly process: string | null;
  readonly began: number;
  readonly ended: number;
  readonly data: Readonly<Record<string, unknown>>;
}

/** The faults of a history, in the order in which they began. */
export function faultTimes(history: RunHistory["history"]): FaultTime[] {
  const ends = new Map(
    history.filter(({ kind }) => kind === "fault ended").map(({ at, data }) => [data["number"], at]),
  );
  return history
    .filter(({ kind }) => kind === "fault")
    .map(({ at, data }) => ({
      fault: data["fault"] as string,
      process: data["target"] as string | null,
      began: at,
      ended: ends.get(data["number"]) ?? Infinity,
      data,
    }));
}

/** The faults of one kind. `member` names their strength in the history. */
export function faultsOf(history: RunHistory["history"], fault: string, member: string): ClockStep[] {
  return faultTimes(history)
    .filter((time) => time.fault === fault)
    .map(({ process, began, ended, data }) => ({
      process: process as string,
      ms: data[member] as number,
      began,
      ended,
    }));
}

/** Those of the faults in which the servers of the database had the fault of this name. */
export function serverFaultTimes(
  faults: readonly FaultTime[],
  { history }: Pick<RunHistory, "history">,
  name: string,
): readonly FaultTime[] {
  const numbers = new Set(
    history
      .filter(({ kind, data }) => kind === "server fault" && data["fault"] === name)
      .map(({ data }) => data["number"]),
  );
  return faults.filter(({ data }) => numbers.has(data["number"]));
}
