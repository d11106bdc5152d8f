/*
 * Simulates whole deployments with faults, and checks what users saw.
 *
 * `npm run simulate -- [--seeds 10] [--seed 1] [--minutes 30] [--for SECONDS] [--jobs N]` runs many seeds. It prints
 * figures, and for each violation the seed and the shortest list of faults that was found. `--for` starts no further seed
 * after so many seconds. `--jobs 4` simulates in four processes; the default is one less than the machine has cores, and at
 * least one. The exit code is 1 when something was violated.
 *
 * `--planted [--bug NAME] [--seeds 20] [--minutes 10]` plants bugs into the source, one after the other, and prints which
 * seed and check notice each. The exit code is 1 when a bug is not noticed. `--stop` ends a run at its first violation.
 *
 * `--force authority,people` gives each run these parts, whatever its seed draws. `forcedParts` lists them.
 *
 * `--store redis-cluster` simulates a database: `memory` (default), `sqlite`, `redis-single`, `redis-sentinel`
 * or `redis-cluster`.
 *
 * `--replay SEED [--without 3,7] [--all]` prints the time line of one seed. Faults are left out by their numbers.
 */
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { forcedParts, type ForcedPart } from "./forced-parts.ts";
import { runPlanted } from "./planted/run-planted.ts";
import { runSeeds, type SeedResult } from "./run-seeds.ts";
import { shrink } from "./shrink.ts";
import { simulate, storeKinds, type StoreKind } from "./simulate.ts";
import { timeLine } from "./time-line.ts";
import { Totals } from "./totals.ts";

const { values: flags } = parseArgs({
  options: {
    seeds: { type: "string" },
    seed: { type: "string", default: "1" },
    minutes: { type: "string" },
    for: { type: "string" },
    jobs: { type: "string", default: String(Math.max(1, availableParallelism() - 1)) },
    replay: { type: "string" },
    without: { type: "string", default: "" },
    all: { type: "boolean", default: false },
    planted: { type: "boolean", default: false },
    bug: { type: "string", default: "" },
    stop: { type: "boolean", default: false },
    store: { type: "string", default: "memory" },
    force: { type: "string", default: "" },
  },
});

/** Runs of one violation that look for a shorter list of faults. */
const SHRINK_RUNS = 40;
/** Violations that are shrunk. The same fault usually fails many seeds. */
const MAX_SHRUNK = 3;

/** The seeds of a run, and the simulated minutes of each. The table in docs/extend/testing.md is from those of planted bugs. */
const defaults = flags.planted ? { seeds: 20, minutes: 10 } : { seeds: 10, minutes: 30 };

function whole(name: "seeds" | "seed" | "minutes" | "for" | "jobs" | "replay"): number {
  const given = flags[name] ?? (name === "seeds" || name === "minutes" ? defaults[name] : undefined);
  const value = Number(given);
  if (!Number.isSafeInteger(value) || value < 0)
    throw new Error(`--${name} must be a whole number, not "${given}"`);
  return value;
}

function readStore(): StoreKind {
  const kind = storeKinds.find((one) => one === flags.store);
  if (kind !== undefined) return kind;
  throw new Error(`--store must be one of ${storeKinds.join(", ")}, not "${flags.store}"`);
}

function readForced(): ForcedPart[] {
  return flags.force
    .split(",")
    .filter(Boolean)
    .map((name) => {
      const part = forcedParts.find((one) => one === name);
      if (part !== undefined) return part;
      throw new Error(`--force must name some of ${forcedParts.join(", ")}, not "${name}"`);
    });
}

const minutes = whole("minutes");
const store = readStore();
const forced = readForced();

async function replay(seed: number): Promise<boolean> {
  const without = new Set(flags.without.split(",").filter(Boolean).map(Number));
  const result = await simulate({ seed, minutes, without, store, forced });
  for (const line of timeLine(result, flags.all)) console.log(line);
  console.log(
    `\nseed ${seed}, hash ${result.hash}, ${result.steps} steps, ${result.violations.length} violations`,
  );
  return result.violations.length === 0;
}

async function report({ seed, violations, startedAt }: SeedResult, isShrunk: boolean): Promise<void> {
  const byCheck = Map.groupBy(violations, ({ check }) => check);
  for (const [check, found] of byCheck) {
    const first = found[0];
    if (first === undefined) continue;
    const at = ((first.at - startedAt) / 1_000).toFixed(3);
    console.log(
      `seed ${seed}: ${check}, ${found.length} times, first at ${at} s in ${first.process}: ${first.message}`,
    );
    if (!isShrunk) continue;
    const { faults, without, runs } = await shrink({ seed, minutes, store, forced }, check, SHRINK_RUNS);
    console.log(`  needs ${faults.length === 0 ? "no fault" : faults.join(" · ")} (${runs} runs)`);
    const left = without.size === 0 ? "" : ` --without ${[...without].join(",")}`;
    const parts = forced.length === 0 ? "" : ` --force "${forced.join(",")}"`;
    console.log(
      `  npm run simulate -- --store ${store} --minutes ${minutes}${parts} --replay ${seed}${left}`,
    );
  }
}

async function simulateSeeds(): Promise<boolean> {
  const totals = new Totals();
  const startedAt = performance.now();
  const limitMs = flags.for === undefined ? Infinity : whole("for") * 1_000;
  const [first, count, jobs] = [whole("seed"), whole("seeds"), whole("jobs")];
  let shrunk = 0;
  for await (const result of runSeeds({ first, count, jobs, minutes, store, forced, limitMs })) {
    totals.add(result.counts);
    if (result.violations.length === 0) continue;
    await report(result, !flags.stop && shrunk++ < MAX_SHRUNK);
    if (flags.stop) return false;
  }
  for (const line of totals.lines((performance.now() - startedAt) / 1_000)) console.log(line);
  return totals.violations === 0;
}

/** Prints one line for each planted bug. */
function runPlantedBugs(): boolean {
  const limits = { first: whole("seed"), seeds: whole("seeds"), minutes };
  let [found, all] = [0, 0];
  for (const { bug, found: how, problem, seconds } of runPlanted(flags.bug, limits)) {
    all++;
    if (how !== null) found++;
    const missed = `NOT FOUND in ${limits.seeds} seeds${problem === null ? "" : `: ${problem}`}`;
    const result = how === null ? missed : `seed ${how.seed}: ${how.check}`;
    console.log(`${bug.room.padEnd(12)} ${bug.name.padEnd(60)} ${result} (${seconds.toFixed(0)} s)`);
  }
  console.log(`${found} of ${all} planted bugs found`);
  return found === all;
}

async function main(): Promise<boolean> {
  if (flags.planted) return runPlantedBugs();
  return flags.replay === undefined ? await simulateSeeds() : await replay(whole("replay"));
}

// Each planted bug and each job is a process that loads the same modules. Node keeps them compiled.
process.env["NODE_COMPILE_CACHE"] ??= fileURLToPath(
  new URL("../node_modules/.cache/compile", import.meta.url),
);

const holds = await main();
process.exitCode = holds ? 0 : 1;
