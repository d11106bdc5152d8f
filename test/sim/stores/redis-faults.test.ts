import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isHoldfastError } from "../../../src/core/errors.ts";
import { logIn, makeRevocation, present } from "../../../src/stores/conformance/fixtures.ts";
import type { Store } from "../../../src/stores/store.ts";
import { World, type ProcessContext } from "../../../src/testing/simulation/index.ts";
import type { DeploymentKind } from "../../../sim/redis/deployment.ts";
import type { StoreLoss } from "../../../sim/store-loss.ts";
import { SimulatedRedis } from "../../../sim/stores/redis.ts";

const WRITERS = ["one", "two"];
const FAULTY_MS = 90_000;
/** The time without faults after which everything works again, ms. */
const RECOVERY_MS = 30_000;

/** Faults that can delete the manifest. A store without it serves nobody, so that nothing could be read back. */
const DELETES_KEYS = new Set([
  "a server evicts keys",
  "the primary of a moving slot is replaced",
  "a key that moves is lost",
]);

/** A write, and the time from its call to its acknowledgement. */
interface Write {
  readonly began: number;
  readonly ended: number;
}

/** The writes that a store has acknowledged. */
interface Acknowledged {
  readonly revoked: Map<string, Write>;
  readonly generations: Map<string, Write & { readonly generation: number }>;
  readonly ended: Map<string, Write>;
}

/** Writes at random, and records what the store acknowledges. */
async function write(
  store: Store,
  context: ProcessContext,
  acknowledged: Acknowledged,
  trueTime: () => number,
): Promise<void> {
  const { name, life, random } = context;
  let count = 0;
  let current: { id: string; generation: number } | null = null;
  for (;;) {
    await context.sleep(20 + random() * 300);
    const id = `${name}-${life}-${++count}`;
    const began = trueTime();
    const done = () => ({ began, ended: trueTime() });
    try {
      const draw = random();
      if (current === null || draw < 0.1) {
        await logIn(store, id, name);
        current = { id, generation: 1 };
        acknowledged.generations.set(id, { generation: 1, ...done() });
      } else if (draw < 0.5) {
        const outcome = await present(store, current.id, current.generation);
        assert.match(outcome.outcome, /^(?:rotated|repeated|resumed)$/);
        current.generation++;
        acknowledged.generations.set(current.id, { generation: current.generation, ...done() });
      } else if (draw < 0.9) {
        await store.revocations.append(await makeRevocation(store, "token", id));
        acknowledged.revoked.set(id, done());
      } else {
        await store.sessions.end(current.id, "logout", await makeRevocation(store, "session", current.id));
        acknowledged.ended.set(current.id, done());
        current = null;
      }
    } catch (error) {
      // An unacknowledged write may take effect, so the session is not used again.
      assert.ok(isHoldfastError(error, "store_unavailable"), String(error));
      current = null;
    }
  }
}

async function openPatiently(redis: SimulatedRedis, context: ProcessContext): Promise<Store> {
  for (;;) {
    try {
      return await redis.connect(null, context);
    } catch (error) {
      assert.ok(isHoldfastError(error, "store_unavailable"), String(error));
      await context.sleep(500);
    }
  }
}

/** Begins and ends faults, one after the other and sometimes two at once. */
function breakServers(world: World, { faults }: Pick<SimulatedRedis, "faults">): string[] {
  const begun: string[] = [];
  for (let at = 3000; at < FAULTY_MS; at += 1500 + world.random() * 6000) {
    world.after(at, () => {
      const fault = faults[Math.floor(world.random() * faults.length)] as (typeof faults)[number];
      begun.push(`${Math.round(world.elapsedMs)} ${fault.name}`);
      const end = fault.begin(world.random);
      world.after(Math.min(world.random() * 8000, FAULTY_MS - world.elapsedMs), end);
    });
  }
  return begun;
}

async function run(kind: DeploymentKind, seed: number, mayLose: boolean = false): Promise<World> {
  const world = new World({ seed });
  const losses: StoreLoss[] = [];
  const redis = new SimulatedRedis({
    kind,
    clock: world.clock,
    random: world.random,
    replicas: 1,
    ...(mayLose && { confirmations: 0 }),
    onLoss: (loss) => losses.push(loss),
  });
  const acknowledged: Acknowledged = { revoked: new Map(), generations: new Map(), ended: new Map() };
  const failures: unknown[] = [];
  for (const name of WRITERS) {
    world.process(name, async (context) => {
      try {
        await write(await openPatiently(redis, context), context, acknowledged, () => world.clock.now());
      } catch (error) {
        failures.push(error);
      }
    });
  }
  const faults = redis.faults.filter(
    ({ name, losesAcknowledged = false }) => losesAcknowledged === mayLose && !DELETES_KEYS.has(name),
  );
  const begun = breakServers(world, { faults });
  await world.run(FAULTY_MS + RECOVERY_MS);
  const where = `${kind}, seed ${seed}: ${begun.join("; ")}`;
  assert.deepEqual([...failures], [], where);
  let isChecked = false;
  world.process("checker", async (context) => {
    try {
      const store = await redis.connect(null, context);
      const missing = await findMissing(store, acknowledged);
      const lost = mayLose ? losses.flatMap(({ changes }) => changes) : [];
      const isLost = ({ began, ended }: Write) => lost.some(({ at }) => began <= at && at <= ended);
      const kept = missing.filter(({ during }) => !isLost(during));
      assert.deepEqual(kept, [], "acknowledged writes are missing");
      const revoked = missing.filter(({ what }) => what.startsWith("the revocation"));
      assert.deepEqual(revoked, [], "a process that still runs has not appended its revocations again");
      assert.ok(!mayLose || lost.length > 0);
      isChecked = true;
    } catch (error) {
      failures.push(error);
    }
  });
  await world.run(10_000);
  assert.deepEqual([...failures], [], where);
  assert.ok(isChecked, where);
  assert.ok(acknowledged.revoked.size > 50, where);
  return world;
}

/** The acknowledged writes that a store lacks. */
async function findMissing(
  store: Store,
  { revoked, generations, ended }: Acknowledged,
): Promise<{ what: string; during: Write }[]> {
  const { entries } = await store.revocations.snapshot();
  const there = new Set(entries.map(({ revocation }) => revocation.id));
  const missing: { what: string; during: Write }[] = [];
  for (const [id, during] of [...revoked, ...ended])
    if (!there.has(id)) missing.push({ what: `the revocation of ${id}`, during });
  for (const [id, { generation, ...during }] of generations) {
    const session = await store.sessions.get(id);
    if (session === null || session.generation < generation)
      missing.push({ what: `a refresh of ${id}`, during });
  }
  for (const [id, during] of ended) {
    const session = await store.sessions.get(id);
    if (session !== null && session.endedAt === null) missing.push({ what: `the end of ${id}`, during });
  }
  return missing;
}

void describe("redisStore on simulated servers with faults", () => {
  for (const kind of ["single", "sentinel", "cluster"] as const) {
    test(`law 12: no acknowledged write is lost, and the store recovers, on a ${kind} deployment`, async () => {
      for (let seed = 1; seed <= 2; seed++) await run(kind, seed);
    });
  }

  for (const kind of ["single", "sentinel", "cluster"] as const) {
    test(`a fault that loses acknowledged writes names each lost one, on a ${kind} deployment`, async () => {
      for (let seed = 1; seed <= 2; seed++) await run(kind, seed, true);
    });
  }

  test("a seed gives the same run again", async () => {
    const [first, second] = [await run("cluster", 11), await run("cluster", 11)];
    assert.equal(second.hash, first.hash);
  });
});
