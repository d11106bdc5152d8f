import { memoryStore } from "../src/stores/memory.ts";
import { seededEntropy } from "../src/testing/entropy.ts";
import { seededRandom } from "../src/testing/random.ts";
import { World, type HistoryEntry } from "../src/testing/simulation/index.ts";
import { recordAnnouncements } from "./announcements.ts";
import { lowerPasswordCost } from "./cheap-passwords.ts";
import { installBrowserPlatform } from "./clients/browser-platform.ts";
import { createPasswordBook } from "./clients/set-password.ts";
import { startClients } from "./clients/start-clients.ts";
import type { ClientParts } from "./clients/session.ts";
import { runChecks, type Violation } from "./checks/run-checks.ts";
import { deploy } from "./deployment.ts";
import { scheduleFaults } from "./faults.ts";
import { forceParts, type ForcedPart } from "./forced-parts.ts";
import { drawPlan, type Plan } from "./plan.ts";
import { scheduleUpgrades } from "./older/upgrades.ts";
import { Recorder } from "./recorder.ts";
import type { DeploymentKind } from "./redis/deployment.ts";
import { SocketNetwork } from "./sockets/simulated-socket.ts";
import { SimulatedRedis } from "./stores/redis.ts";
import type { StoreLoss } from "./store-loss.ts";
import { RemoteStore } from "./stores/remote-store.ts";
import { SimulatedSqlite } from "./stores/sqlite.ts";
import type { SimulatedDatabase } from "./stores/simulated-database.ts";

/** Options of {@link simulate}. */
export interface SimulationOptions {
  readonly seed: number;
  /** Simulated minutes with faults. A quiet phase follows. */
  readonly minutes: number;
  /** The numbers of the faults that are left out. */
  readonly without?: ReadonlySet<number>;
  /** Parts that the run has whatever its seed draws. */
  readonly forced?: readonly ForcedPart[];
  readonly trace?: boolean;
  /** The database. Default `memory`. */
  readonly store?: StoreKind;
}

/** The databases that a deployment can have. */
export const storeKinds = ["memory", "sqlite", "redis-single", "redis-sentinel", "redis-cluster"] as const;

export type StoreKind = (typeof storeKinds)[number];

/** The result of one run. */
export interface SimulationResult {
  readonly plan: Plan;
  readonly history: readonly HistoryEntry[];
  readonly violations: readonly Violation[];
  readonly startedAt: number;
  readonly steps: number;
  readonly simulatedMs: number;
  readonly hash: string;
  readonly trace: readonly string[];
}

/** Runs the services, guards and clients of a seed, and checks the history. */
export async function simulate(options: SimulationOptions): Promise<SimulationResult> {
  const {
    seed,
    minutes,
    without = new Set<number>(),
    trace = false,
    store = "memory",
    forced = [],
  } = options;
  const plan = forceParts(drawPlan(seed, minutes), forced);
  const world = new World({ seed, trace });
  const startedAt = world.now;
  const database = createDatabase(world, store, plan);
  const recorder = new Recorder(world);
  Object.assign(world.network.conditions, plan.network);
  const sockets = new SocketNetwork(world);
  const deployment = deploy({ world, plan, database, recorder, sockets });
  const leaks: ClientParts["leaks"] = { access: [], ended: [], left: [], spent: [] };
  const parts = { plan, recorder, leaks, deployment, world, sockets, book: createPasswordBook() };
  const clients = startClients(parts);
  scheduleFaults(
    plan.faults.filter(({ number }) => !without.has(number)),
    { world, deployment, database, clients },
  );
  scheduleUpgrades(plan, { world, deployment, database });
  const restores = [installBrowserPlatform(world), lowerPasswordCost(world), recordAnnouncements(world)];
  try {
    await world.run(plan.faultyMs);
    world.record("quiet", {});
    Object.assign(world.network.conditions, { drop: 0, duplicate: 0, slow: 0 });
    await world.run(plan.quietMs);
    for (const [name, guard] of deployment.runningGuards) {
      const [issuer] = guard.status().issuers;
      const breaker = issuer?.authority?.breaker ?? null;
      world.record("guard status", { guard: name, ageMs: issuer?.revocations?.ageMs ?? null, breaker });
    }
    for (const host of deployment.runningSockets.values()) host.recordStatus();
  } finally {
    for (const restore of restores) restore();
    await database.close();
  }
  const { history, steps, elapsedMs: simulatedMs, hash } = world;
  const violations = runChecks({ plan, history, startedAt });
  return { plan, history, violations, startedAt, steps, simulatedMs, hash, trace: world.trace };
}

function createDatabase(world: World, kind: StoreKind, { replication }: Plan): SimulatedDatabase {
  const seed = world.deriveSeed("store");
  const { clock } = world;
  if (kind === "memory")
    return new RemoteStore(world, kind, memoryStore({ clock, entropy: seededEntropy(seed) }));
  const onLoss = (loss: StoreLoss) => world.record("writes lost", { ...loss });
  if (kind === "sqlite") return new SimulatedSqlite(world, seededRandom(seed), onLoss);
  const { replicas, confirmations } = replication;
  return new SimulatedRedis({
    kind: kind.replace("redis-", "") as DeploymentKind,
    clock,
    random: seededRandom(seed),
    replicas,
    ...(confirmations !== null && { confirmations }),
    onLoss,
  });
}
