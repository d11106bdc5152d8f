import { memoryStore } from "../src/stores/memory.ts";
import { seededEntropy } from "../src/testing/entropy.ts";
import { seededRandom } from "../src/testing/random.ts";
import { World, type HistoryEntry, type SimulatedProcess } from "../src/testing/simulation/index.ts";
import { BrowserClient } from "./clients/browser-client.ts";
import { installBrowserPlatform } from "./clients/browser-platform.ts";
import { runAdministrator } from "./clients/administrator.ts";
import { runKeeper } from "./clients/keeper.ts";
import { createPasswordBook, Person, type PasswordBook } from "./clients/person.ts";
import type { ClientParts } from "./clients/session.ts";
import { SessionClient } from "./clients/session-client.ts";
import { SocketClient } from "./clients/socket-client.ts";
import { runThief } from "./clients/thief.ts";
import { runUserManager } from "./clients/user-manager.ts";
import { runChecks, type Violation } from "./checks/run-checks.ts";
import { deploy } from "./deployment.ts";
import { scheduleFaults } from "./faults.ts";
import { drawPlan, type Plan } from "./plan.ts";
import { Recorder } from "./recorder.ts";
import type { DeploymentKind } from "./redis/deployment.ts";
import { SocketNetwork } from "./sockets/simulated-socket.ts";
import { SimulatedRedis } from "./stores/redis.ts";
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
  const { seed, minutes, without = new Set<number>(), trace = false, store = "memory" } = options;
  const plan = drawPlan(seed, minutes);
  const world = new World({ seed, trace });
  const startedAt = world.now;
  const database = createDatabase(world, store);
  const recorder = new Recorder(world);
  Object.assign(world.network.conditions, plan.network);
  const sockets = new SocketNetwork(world);
  const deployment = deploy({ world, plan, database, recorder, sockets });
  const leaks: ClientParts["leaks"] = { access: [], ended: [], left: [], spent: [] };
  const parts = { plan, recorder, leaks, deployment, world, sockets, book: createPasswordBook() };
  const clients = startClients(world, parts);
  scheduleFaults(
    plan.faults.filter(({ number }) => !without.has(number)),
    { world, deployment, database, clients },
  );
  const restore = installBrowserPlatform(world);
  try {
    await world.run(plan.faultyMs);
    world.record("quiet", {});
    Object.assign(world.network.conditions, { drop: 0, duplicate: 0, slow: 0 });
    await world.run(plan.quietMs);
    for (const [name, guard] of deployment.runningGuards) {
      const [issuer] = guard.status().issuers;
      world.record("guard status", { guard: name, ageMs: issuer?.revocations?.ageMs ?? null });
    }
    for (const host of deployment.runningSockets.values()) host.recordStatus();
  } finally {
    restore();
    await database.close();
  }
  const { history, steps, elapsedMs: simulatedMs, hash } = world;
  const violations = runChecks({ plan, history, startedAt });
  return { plan, history, violations, startedAt, steps, simulatedMs, hash, trace: world.trace };
}

function createDatabase(world: World, kind: StoreKind): SimulatedDatabase {
  const seed = world.deriveSeed("store");
  const { clock } = world;
  if (kind === "memory")
    return new RemoteStore(world, kind, memoryStore({ clock, entropy: seededEntropy(seed) }));
  if (kind === "sqlite") return new SimulatedSqlite(world, seededRandom(seed));
  const deployment = kind.replace("redis-", "") as DeploymentKind;
  return new SimulatedRedis({ kind: deployment, clock, random: seededRandom(seed) });
}

/** Starts the clients. Those that keep a session are returned, because faults hit them. */
function startClients(
  world: World,
  parts: Parameters<typeof runAdministrator>[1] & {
    readonly sockets: SocketNetwork;
    readonly book: PasswordBook;
  },
): SimulatedProcess[] {
  const { acknowledging, plain, browsers, keepers, thieves, administrators } = parts.plan.clients;
  const repeat = (count: number, start: (number: number) => SimulatedProcess) =>
    Array.from({ length: count }, (_, index) => start(index + 1));
  const people = Array.from({ length: parts.plan.people }, (_, index) => `eve-${index + 1}`);
  const owners = [
    ...repeat(acknowledging, (number) => {
      const kind = { user: `ann-${number}`, acknowledges: true };
      return world.process(
        `client-a${number}`,
        async (context) => await new SessionClient(context, parts, kind).run(),
      );
    }),
    ...repeat(plain, (number) => {
      const kind = { user: `bob-${number}`, acknowledges: false };
      return world.process(
        `client-b${number}`,
        async (context) => await new SessionClient(context, parts, kind).run(),
      );
    }),
    ...repeat(browsers, (number) => {
      const user = `cat-${number}`;
      return world.process(
        `browser-${number}`,
        async (context) => await new BrowserClient(context, parts, user).run(),
      );
    }),
    ...repeat(parts.plan.sockets.clients, (number) => {
      const owner = { user: `dan-${number % 2}`, acknowledges: true };
      const process: SimulatedProcess = parts.world.process(
        `socket-${number}`,
        async (context) => await new SocketClient(context, { ...parts, process: () => process }, owner).run(),
      );
      return process;
    }),
    ...people.map((user) =>
      parts.world.process(user, async (context) => await new Person(context, parts, user).run()),
    ),
  ];
  if (people.length > 0)
    parts.world.process("user-manager", async (context) => await runUserManager(context, parts, people));
  repeat(keepers, (number) =>
    world.process(`keeper-${number}`, async (context) => await runKeeper(context, parts)),
  );
  repeat(thieves, (number) =>
    world.process(`thief-${number}`, async (context) => await runThief(context, parts)),
  );
  repeat(administrators, (number) =>
    world.process(`administrator-${number}`, async (context) => await runAdministrator(context, parts)),
  );
  return owners;
}
