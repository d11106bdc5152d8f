import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isHoldfastError } from "../../../src/core/errors.ts";
import { logIn, makeRevocation, present } from "../../../src/stores/conformance/fixtures.ts";
import type { Store } from "../../../src/stores/store.ts";
import { World, type ProcessContext } from "../../../src/testing/simulation/index.ts";
import type { DeploymentKind } from "../../../sim/redis/deployment.ts";
import { SimulatedRedis } from "../../../sim/stores/redis.ts";

const WRITERS = ["one", "two"];
const FAULTY_MS = 90_000;
/** The time without faults after which everything works again, ms. */
const RECOVERY_MS = 30_000;

/** The writes that a store has acknowledged. */
interface Acknowledged {
  readonly revoked: string[];
  readonly generations: Map<string, number>;
  readonly ended: Set<string>;
}

/** Writes at random, and records what the store acknowledges. */
async function write(store: Store, context: ProcessContext, acknowledged: Acknowledged): Promise<void> {
  const { name, life, random } = context;
  let count = 0;
  let current: { id: string; generation: number } | null = null;
  for (;;) {
    await context.sleep(20 + random() * 300);
    const id = `${name}-${life}-${++count}`;
    try {
      const draw = random();
      if (current === null || draw < 0.1) {
        await logIn(store, id, name);
        current = { id, generation: 1 };
        acknowledged.generations.set(id, 1);
      } else if (draw < 0.5) {
        const outcome = await present(store, current.id, current.generation);
        assert.match(outcome.outcome, /^(?:rotated|repeated)$/);
        current.generation++;
        acknowledged.generations.set(current.id, current.generation);
      } else if (draw < 0.9) {
        await store.revocations.append(await makeRevocation(store, "token", id));
        acknowledged.revoked.push(id);
      } else {
        await store.sessions.end(current.id, "logout", await makeRevocation(store, "session", current.id));
        acknowledged.ended.add(current.id);
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
function breakServers(world: World, redis: SimulatedRedis): string[] {
  const begun: string[] = [];
  const faults = redis.faults.filter(({ losesAcknowledged }) => losesAcknowledged !== true);
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

async function run(kind: DeploymentKind, seed: number): Promise<World> {
  const world = new World({ seed });
  const redis = new SimulatedRedis({
    kind,
    clock: world.clock,
    random: world.random,
    replicas: 1,
  });
  const acknowledged: Acknowledged = { revoked: [], generations: new Map(), ended: new Set() };
  const failures: unknown[] = [];
  for (const name of WRITERS) {
    world.process(name, async (context) => {
      try {
        await write(await openPatiently(redis, context), context, acknowledged);
      } catch (error) {
        failures.push(error);
      }
    });
  }
  const begun = breakServers(world, redis);
  await world.run(FAULTY_MS + RECOVERY_MS);
  const where = `${kind}, seed ${seed}: ${begun.join("; ")}`;
  assert.deepEqual([...failures], [], where);
  let isChecked = false;
  world.process("checker", async (context) => {
    try {
      const store = await redis.connect(null, context);
      await checkAll(store, acknowledged);
      isChecked = true;
    } catch (error) {
      failures.push(error);
    }
  });
  await world.run(10_000);
  assert.deepEqual([...failures], [], where);
  assert.ok(isChecked, where);
  assert.ok(acknowledged.revoked.length > 50, where);
  return world;
}

async function checkAll(store: Store, { revoked, generations, ended }: Acknowledged): Promise<void> {
  const { entries } = await store.revocations.snapshot();
  const there = new Set(entries.map(({ revocation }) => revocation.id));
  for (const id of [...revoked, ...ended]) assert.ok(there.has(id), `the revocation of ${id} is lost`);
  for (const [id, generation] of generations) {
    const session = await store.sessions.get(id);
    assert.ok(session !== null && session.generation >= generation, `a refresh of ${id} is lost`);
  }
  for (const id of ended)
    assert.notEqual((await store.sessions.get(id))?.endedAt, null, `the end of ${id} is lost`);
}

void describe("redisStore on simulated servers with faults", () => {
  for (const kind of ["single", "sentinel", "cluster"] as const) {
    test(`law 12: no acknowledged write is lost, and the store recovers, on a ${kind} deployment`, async () => {
      for (let seed = 1; seed <= 2; seed++) await run(kind, seed);
    });
  }

  test("a seed gives the same run again", async () => {
    const [first, second] = [await run("cluster", 11), await run("cluster", 11)];
    assert.equal(second.hash, first.hash);
  });
});
