/*
 * Runs races, losses, kills, costly requests and faults with real processes on every store that this machine has. It prints
 * progress to stderr and figures to stdout. The exit code is 1 when a claim did not hold.
 *
 * `node scripts/soak.ts [--short] [--seed 1] [--store SQLite] [--part races]`
 */
import { parseArgs } from "node:util";
import { findSystemPrograms } from "./system-programs.ts";
import { runHealth } from "../test/soak/health.ts";
import { runKills } from "../test/soak/kills.ts";
import { runLosses } from "../test/soak/losses.ts";
import type { Figures, SoakContext } from "../test/soak/context.ts";
import { runDeployments } from "../test/soak/deployments.ts";
import { openDeployment } from "../test/soak/deployment.ts";
import { runRaces } from "../test/soak/races.ts";
import { runSimulation } from "../test/soak/simulation.ts";
import { seededRandom } from "../test/soak/random.ts";
import { runRedisModel } from "../test/soak/redis-model.ts";
import { runRequests } from "../test/soak/requests.ts";
import { measureRevocations } from "../test/soak/revocations.ts";
import { noRedis } from "../test/support/redis-servers.ts";

findSystemPrograms();
const { values: flags } = parseArgs({
  options: {
    /** Takes less than a minute. */
    short: { type: "boolean", default: false },
    seed: { type: "string" },
    store: { type: "string" },
    part: { type: "string" },
  },
});
const seed = Number(flags.seed ?? Date.now() % 1_000_000);
const isShort = flags.short;

const parts: Readonly<Record<string, (part: SoakContext) => Promise<Figures>>> = {
  races: async (part) =>
    await runRaces({
      ...part,
      services: isShort ? [2] : [1, 2, 4, 8],
      latenciesMs: isShort ? [50] : [0, 50],
      rounds: isShort ? 3 : 20,
    }),
  losses: async (part) =>
    await runLosses({
      ...part,
      refreshes: isShort ? 2000 : 100_000,
      services: isShort ? 2 : 4,
      clients: 32,
      thefts: isShort ? 3 : 50,
      pastConflict: !isShort,
    }),
  simulation: async (part) => await runSimulation({ ...part, refreshes: isShort ? 5000 : 100_000 }),
  deployments: async (part) => await runDeployments({ ...part, forMs: isShort ? 10_000 : 1_800_000 }),
  "redis model": async (part) => await runRedisModel({ ...part, forMs: isShort ? 5000 : 900_000 }),
  kills: async (part) => await runKills({ ...part, rounds: isShort ? 6 : 1000 }),
  requests: async (part) => await runRequests({ ...part, forMs: isShort ? 10_000 : 1_800_000 }),
  health: async (part) => await runHealth({ ...part, forMs: isShort ? 20_000 : 3_600_000 }),
  revocation: async (part) => await measureRevocations({ ...part, samples: isShort ? 20 : 500 }),
};

const PROGRESS_MS = 2000;
let last = 0;

function progressOf(name: string): (text: string) => void {
  return (text) => {
    if (performance.now() - last < PROGRESS_MS) return;
    last = performance.now();
    console.error(`${name}: ${text}`);
  };
}

console.log(`seed ${seed}`);
const stores = (["SQLite", "Redis"] as const).filter(
  (name) => flags.store === undefined || flags.store === name,
);
for (const store of stores) {
  if (store === "Redis" && noRedis !== false) {
    console.log(`Redis: skipped, ${noRedis}`);
    continue;
  }
  for (const [name, run] of Object.entries(parts)) {
    if (flags.part !== undefined && flags.part !== name) continue;
    const deployment = await openDeployment(store);
    const since = performance.now();
    try {
      const progress = progressOf(`${name} on ${store}`);
      const figures = await run({ deployment, random: seededRandom(seed), progress });
      const seconds = ((performance.now() - since) / 1000).toFixed(0);
      console.log(`\n${name} on ${store}, ${seconds} s`);
      for (const [what, figure] of Object.entries(figures)) console.log(`  ${what.padEnd(40)}${figure}`);
    } catch (error) {
      console.log(`\n${name} on ${store}: ${error instanceof Error ? error.message : String(error)}`);
      process.exitCode = 1;
    } finally {
      await deployment.close();
    }
  }
}
