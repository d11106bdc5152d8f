import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { plantedBugs } from "./bugs.ts";
import type { PlantedBug } from "./planted-bug.ts";

/** How a planted bug was found. */
export interface PlantedResult {
  readonly bug: PlantedBug;
  /** The seed that found it, and the check. `null` when none did. */
  readonly found: { readonly seed: number; readonly check: string } | null;
  /** Why the runs ended before all seeds were tried. `null` when they did not. */
  readonly problem: string | null;
  readonly seconds: number;
}

const hooks = fileURLToPath(new URL("hooks.ts", import.meta.url));
const program = fileURLToPath(new URL("../run.ts", import.meta.url));
const RUN_LIMIT_MS = 600_000;

/** How to simulate a planted bug. */
export interface PlantedRun {
  readonly first: number;
  readonly seeds: number;
  readonly minutes: number;
  /** The real time after which a bug counts as not found, milliseconds. Default 10 minutes. */
  readonly limitMs?: number;
}

/** Plants each bug whose name or room contains `filter`, and simulates until a check notices it, at most `seeds` seeds. */
export function* runPlanted(filter: string, run: PlantedRun): Generator<PlantedResult> {
  for (const bug of plantedBugs) {
    if (bug.name.includes(filter) || bug.room === filter) yield simulateBug(bug, run);
  }
}

function simulateBug(
  bug: PlantedBug,
  { first, seeds, minutes, limitMs = RUN_LIMIT_MS }: PlantedRun,
): PlantedResult {
  const startedAt = performance.now();
  const options = {
    seed: first,
    seeds,
    minutes,
    store: bug.store ?? "memory",
    force: (bug.forced ?? []).join(","),
  };
  const flags = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const { stdout, stderr, status, signal } = spawnSync(
    process.execPath,
    [...process.execArgv, "--no-warnings", "--import", hooks, program, "--stop", ...flags],
    { encoding: "utf8", timeout: limitMs, env: { ...process.env, SIMULATION_BUG: bug.name } },
  );
  const [, seed, check = ""] = /^seed (\d+): ([^,]+),/m.exec(stdout) ?? [];
  const seconds = (performance.now() - startedAt) / 1_000;
  if (seed !== undefined) return { bug, found: { seed: Number(seed), check }, problem: null, seconds };
  const problem =
    signal !== null
      ? `the runs took longer than ${limitMs / 1_000} s`
      : status === 0
        ? null
        : `the simulation failed: ${stderr || stdout}`;
  return { bug, found: null, problem, seconds };
}
