import { operationsOf } from "./checks/run-history.ts";
import type { SimulationResult } from "./simulate.ts";

/** Counts of many runs. */
export class Totals {
  seeds = 0;
  steps = 0;
  simulatedMs = 0;
  violations = 0;
  readonly faults: Map<string, number> = new Map();
  /** What users and guards saw: the operation with its status, reason or cause. */
  readonly branches: Map<string, number> = new Map();

  add({ history, steps, simulatedMs, violations }: SimulationResult): void {
    this.seeds++;
    this.steps += steps;
    this.simulatedMs += simulatedMs;
    this.violations += violations.length;
    for (const { kind, data } of history) {
      if (kind === "fault") increase(this.faults, String(data["fault"]));
      else if (kind === "start failed") increase(this.branches, "a service could not start");
    }
    for (const { operation, answer } of operationsOf(history)) {
      const { status = "no answer", reason, cause, error } = answer ?? {};
      const isWord = (text: unknown): text is string => typeof text === "string" && /^\w+$/.test(text);
      const why = [reason, cause, error].find(isWord);
      increase(this.branches, `${operation} ${String(status)} ${why ?? ""}`.trim());
      if (answer?.["degraded"] === true) increase(this.branches, `${operation} degraded`);
    }
  }

  /** The report for people. */
  lines(seconds: number): string[] {
    const hours = this.simulatedMs / 3_600_000;
    const list = (counts: ReadonlyMap<string, number>) =>
      [...counts]
        .toSorted(([one], [other]) => one.localeCompare(other))
        .map(([name, count]) => `  ${name.padEnd(44)}${count}`);
    return [
      `${this.seeds} seeds, ${this.steps} steps, ${hours.toFixed(1)} simulated hours in ${seconds.toFixed(0)} s`,
      `${(hours / seconds).toFixed(2)} simulated hours a second, ${Math.round(this.steps / seconds)} steps a second`,
      "faults",
      ...list(this.faults),
      "branches",
      ...list(this.branches),
      `${this.violations} violations`,
    ];
  }
}

function increase(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}
