import { operationsOf } from "./checks/run-history.ts";
import type { SimulationResult } from "./simulate.ts";

/** Counts of one run or of many. */
export interface RunCounts {
  readonly seeds: number;
  readonly steps: number;
  readonly simulatedMs: number;
  /** The processor time of the runs and their checks, user and system, in milliseconds. */
  readonly processorMs: number;
  readonly violations: number;
  readonly faults: ReadonlyMap<string, number>;
  /** What users and guards saw: the operation with its status, reason or cause. */
  readonly branches: ReadonlyMap<string, number>;
}

/** Counts what happened in one run. */
export function countRun(result: SimulationResult, processorMs: number): RunCounts {
  const { history, steps, simulatedMs, violations } = result;
  const faults = new Map<string, number>();
  const branches = new Map<string, number>();
  for (const { kind, data } of history) {
    if (kind === "fault") increase(faults, String(data["fault"]));
    else if (kind === "start failed") increase(branches, "a service could not start");
  }
  for (const { operation, answer } of operationsOf(history)) {
    const { status = "no answer", reason, cause, error } = answer ?? {};
    const isWord = (text: unknown): text is string => typeof text === "string" && /^\w+$/.test(text);
    const why = [reason, cause, error].find(isWord);
    increase(branches, `${operation} ${String(status)} ${why ?? ""}`.trim());
    if (answer?.["degraded"] === true) increase(branches, `${operation} degraded`);
  }
  return { seeds: 1, steps, simulatedMs, processorMs, violations: violations.length, faults, branches };
}

/** Counts of many runs. */
export class Totals implements RunCounts {
  seeds = 0;
  steps = 0;
  simulatedMs = 0;
  processorMs = 0;
  violations = 0;
  readonly faults: Map<string, number> = new Map();
  readonly branches: Map<string, number> = new Map();

  add(run: RunCounts): void {
    this.seeds += run.seeds;
    this.steps += run.steps;
    this.simulatedMs += run.simulatedMs;
    this.processorMs += run.processorMs;
    this.violations += run.violations;
    for (const [name, count] of run.faults) increase(this.faults, name, count);
    for (const [name, count] of run.branches) increase(this.branches, name, count);
  }

  /** The report for people. */
  lines(seconds: number): string[] {
    const hours = this.simulatedMs / 3_600_000;
    const processorSeconds = this.processorMs / 1_000;
    const list = (counts: ReadonlyMap<string, number>) =>
      [...counts]
        .toSorted(([one], [other]) => one.localeCompare(other))
        .map(([name, count]) => `  ${name.padEnd(44)}${count}`);
    return [
      `${this.seeds} seeds, ${this.steps} steps, ${hours.toFixed(1)} simulated hours in ${seconds.toFixed(0)} s`,
      `${(hours / seconds).toFixed(2)} simulated hours a second, ${Math.round(this.steps / seconds)} steps a second`,
      `${(hours / processorSeconds).toFixed(2)} simulated hours a second of processor time`,
      "faults",
      ...list(this.faults),
      "branches",
      ...list(this.branches),
      `${this.violations} violations`,
    ];
  }
}

function increase(counts: Map<string, number>, name: string, by: number = 1): void {
  counts.set(name, (counts.get(name) ?? 0) + by);
}
