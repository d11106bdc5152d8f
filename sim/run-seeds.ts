import { fork, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Violation } from "./checks/run-checks.ts";
import type { ForcedPart } from "./forced-parts.ts";
import { simulate, type SimulationOptions, type StoreKind } from "./simulate.ts";
import { countRun, type RunCounts } from "./totals.ts";

/** What is left of a run when its history has been checked and counted. */
export interface SeedResult {
  readonly seed: number;
  readonly violations: readonly Violation[];
  readonly startedAt: number;
  readonly counts: RunCounts;
}

/** Which seeds are simulated. */
export interface SeedRange {
  readonly first: number;
  readonly count: number;
  readonly minutes: number;
  readonly store: StoreKind;
  /** Parts that each run has whatever its seed draws. */
  readonly forced: readonly ForcedPart[];
  /** No further seed begins after this many milliseconds. */
  readonly limitMs: number;
  /** The number of processes that simulate at the same time. With one, no other process is started. */
  readonly jobs: number;
}

const program = fileURLToPath(new URL("seed-process.ts", import.meta.url));

/** Simulates one seed in this process, and measures its processor time. */
export async function runSeed(options: SimulationOptions): Promise<SeedResult> {
  const before = process.cpuUsage();
  const result = await simulate(options);
  const { user, system } = process.cpuUsage(before);
  const { plan, violations, startedAt } = result;
  return { seed: plan.seed, violations, startedAt, counts: countRun(result, (user + system) / 1_000) };
}

/** Simulates the seeds. The results have the order of the seeds, whichever process is the first to finish. */
export async function* runSeeds(range: SeedRange): AsyncGenerator<SeedResult> {
  const { first, count, limitMs, jobs, minutes, store, forced } = range;
  const startedAt = performance.now();
  const isLate = () => performance.now() - startedAt >= limitMs;
  if (jobs > 1) {
    yield* runInProcesses(range, isLate);
    return;
  }
  for (let seed = first; seed < first + count && !isLate(); seed++) {
    yield await runSeed({ seed, minutes, store, forced });
  }
}

async function* runInProcesses(range: SeedRange, isLate: () => boolean): AsyncGenerator<SeedResult> {
  const { first, count, jobs, minutes, store, forced } = range;
  const results = Array.from({ length: count }, () => Promise.withResolvers<SeedResult | null>());
  // The results behind a failure are never read.
  for (const { promise } of results) promise.catch(() => undefined);
  let started = 0;
  const work = async (child: ChildProcess) => {
    while (started < count) {
      const index = started++;
      const result = results[index];
      if (isLate()) result?.resolve(null);
      else {
        const options = { seed: first + index, minutes, store, forced };
        await ask(child, options).then(result?.resolve, result?.reject);
      }
    }
  };
  const children = Array.from({ length: Math.min(jobs, count) }, () =>
    fork(program, [], { serialization: "advanced" }),
  );
  for (const child of children) void work(child);
  try {
    for (const { promise } of results) {
      const result = await promise;
      if (result === null) return;
      yield result;
    }
  } finally {
    for (const child of children) child.kill();
  }
}

/** Lets a process simulate a seed. Rejects when the process ends before its answer. */
async function ask(child: ChildProcess, options: SimulationOptions): Promise<SeedResult> {
  return await new Promise<SeedResult>((resolve, reject) => {
    const fail = () => reject(new Error(`the process that simulated seed ${options.seed} failed`));
    child.once("exit", fail);
    child.once("message", (result) => {
      child.off("exit", fail);
      resolve(result as SeedResult);
    });
    child.send(options);
  });
}
