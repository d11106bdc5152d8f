import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import fc from "fast-check";
import { issuerEvents } from "../../../src/core/event-channels.ts";
import type { IssuerEvent } from "../../../src/core/events.ts";
import { deriveSecrets } from "../../../src/issuer/secret-keys.ts";
import { LoginLimits } from "../../../src/issuer/sessions/login-limits.ts";
import { SharedAttempts } from "../../../src/issuer/sessions/shared-attempts.ts";
import type { Issuer } from "../../../src/issuer/types.ts";
import type { AttemptDelta, AttemptStore } from "../../../src/stores/attempt-store.ts";
import { memoryStore } from "../../../src/stores/memory.ts";
import { redisStore } from "../../../src/stores/redis.ts";
import { sqliteStore } from "../../../src/stores/sqlite.ts";
import type { Store } from "../../../src/stores/store.ts";
import { FakeClock } from "../../../src/testing/fake-clock.ts";
import { temporaryFolder } from "../../stores/temporary-folder.ts";
import { noRedis, RedisServer } from "../../support/redis-servers.ts";
import { createFixture, SECRET } from "../fixture.ts";

const LIMIT = 10;
const WINDOW_MS = 15 * 60_000;
const wrong = { username: "ann", password: "wrong" };
const right = { username: "ann", password: "password of ann" };
const source = "192.0.2.1";

/** An issuer whose writes of attempts a test can wait for. */
function openProcess(store: Store, clock: FakeClock): { issuer: Issuer; written: () => Promise<void> } {
  const open = new Set<AttemptDelta>();
  const attempts: AttemptStore = {
    async add(deltas) {
      for (const delta of deltas) open.add(delta);
      try {
        return (await store.attempts?.add(deltas)) ?? [];
      } finally {
        for (const delta of deltas) open.delete(delta);
      }
    },
  };
  const { issuer } = createFixture({ store: { ...store, attempts }, clock });
  const written = async () => {
    await nextTurn();
    // The pause between two writes.
    await clock.advance(300);
    do await nextTurn();
    while (open.size > 0);
    await nextTurn();
  };
  return { issuer, written };
}

async function checkTwoProcesses(stores: readonly [Store, Store], clock: FakeClock): Promise<void> {
  const processes = stores.map((store) => openProcess(store, clock));
  const [first, second] = processes;
  assert.ok(first !== undefined && second !== undefined);
  let denied = 0;
  for (let i = 0; i < 4 * LIMIT; i++) {
    const { issuer, written } = processes[i % 2] ?? first;
    const outcome = await issuer.login(wrong, { source });
    assert.ok(outcome.status === "denied" || outcome.status === "limited");
    if (outcome.status === "denied") denied++;
    await written();
  }
  assert.ok(denied === LIMIT || denied === LIMIT + 1, `${denied} guesses`);
  for (const { issuer } of processes) {
    const limited = await issuer.login(right, { source });
    assert.ok(limited.status === "limited" && limited.retryAfterMs > 60_000);
    assert.equal((await issuer.login(right, { source: "192.0.2.2" })).status, "ok", "not by account alone");
  }
  await clock.advance(WINDOW_MS);
  assert.equal((await first.issuer.login(right, { source })).status, "ok");
  await first.written();
  for (let i = 0; i < LIMIT - 1; i++) await first.issuer.login(wrong, { source });
  await first.written();
  // The right password at a process that did not see the wrong ones resets the count of the store.
  assert.equal((await second.issuer.login(right, { source })).status, "ok");
  await second.written();
  assert.equal((await second.issuer.login(wrong, { source })).status, "denied");
  await second.written();
  assert.equal((await second.issuer.login(wrong, { source })).status, "denied");
  for (const { issuer } of processes) await issuer.close();
}

describe("login limits of several processes", () => {
  test("two issuers on one SQLite file count together", async (t) => {
    const folder = temporaryFolder();
    const clock = new FakeClock();
    const open = async () => await sqliteStore({ file: join(folder.path, "holdfast.db"), clock });
    const stores = [await open(), await open()] as const;
    t.after(async () => {
      for (const store of stores) await store.close();
      folder.remove();
    });
    await checkTwoProcesses(stores, clock);
  });

  test("two issuers on one Redis server count together", { skip: noRedis }, async (t) => {
    const server = await RedisServer.start();
    const clock = new FakeClock();
    const prefix = `${randomBytes(6).toString("hex")}:`;
    const open = async () => await redisStore({ url: server.url, prefix, clock, durability: "always" });
    const stores = [await open(), await open()] as const;
    t.after(async () => {
      for (const store of stores) await store.close();
      await server.stop();
    });
    await checkTwoProcesses(stores, clock);
  });

  test("property: the guesses of all processes are bounded, and closely when each one is written first", async () => {
    const step = fc.record({ process: fc.nat({ max: 3 }), waits: fc.boolean() });
    const steps = fc.array(step, { minLength: 60, maxLength: 120 });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 4 }), fc.boolean(), steps, async (count, isSlow, plan) => {
        const clock = new FakeClock();
        const store = memoryStore({ clock });
        const base = { store, clock, emit: () => assert.fail("no event"), secrets: deriveSecrets(SECRET) };
        const processes = Array.from(
          { length: count },
          () => new LoginLimits(clock, new SharedAttempts(base)),
        );
        let guesses = 0;
        for (const { process, waits } of plan) {
          const outcome = processes[process % count]?.attempt(() => ["ann"], source);
          if (outcome?.status === "allowed") {
            guesses++;
            outcome.settle("wrong");
          }
          if (!isSlow && !waits) continue;
          await nextTurn();
          await clock.advance(300);
          await nextTurn();
        }
        assert.ok(
          guesses <= (isSlow ? LIMIT + count - 1 : LIMIT * count),
          `${guesses} of ${count} processes`,
        );
        await store.close();
      }),
      { numRuns: 40 },
    );
  });

  test("law 1: without an answer of the store, logins go on within the limits of the process, and one event says so", async (t) => {
    const clock = new FakeClock();
    const store = memoryStore({ clock });
    let mode: "fails" | "hangs" | "works" = "fails";
    const attempts: AttemptStore = {
      async add(deltas) {
        if (mode === "fails") throw new Error("the disk failed");
        if (mode === "hangs") return await new Promise(() => {});
        return (await store.attempts?.add(deltas)) ?? [];
      },
    };
    const events: string[] = [];
    const listen = (message: unknown) => void events.push((message as IssuerEvent).event);
    issuerEvents.subscribe(listen);
    t.after(() => issuerEvents.unsubscribe(listen));
    const { issuer } = createFixture({ store: { ...store, attempts }, clock });
    for (const failing of ["fails", "hangs"] as const) {
      mode = failing;
      const from = { source: failing === "fails" ? source : "192.0.2.3" };
      for (let i = 0; i < LIMIT; i++) {
        assert.equal((await issuer.login(wrong, from)).status, "denied");
        await clock.advance(6000);
      }
      assert.equal((await issuer.login(right, from)).status, "limited");
      assert.equal(issuer.status().store.reachable, true);
    }
    assert.deepEqual(events, ["login_limits_local"]);
    mode = "works";
    await clock.advance(12_000);
    await issuer.login(wrong, { source: "192.0.2.4" });
    await nextTurn();
    mode = "fails";
    await clock.advance(12_000);
    await issuer.login(wrong, { source: "192.0.2.4" });
    await nextTurn();
    assert.deepEqual(events, ["login_limits_local", "login_limits_local"]);
    await issuer.close();
  });

  test("a store without the part leaves each process to count by itself, and a malformed part is named", async () => {
    const clock = new FakeClock();
    const { attempts: _, ...store } = memoryStore({ clock });
    for (const { issuer } of [createFixture({ store, clock }), createFixture({ store, clock })]) {
      for (let i = 0; i < LIMIT; i++) assert.equal((await issuer.login(wrong, { source })).status, "denied");
      assert.equal((await issuer.login(right, { source })).status, "limited");
      await issuer.close();
    }
    const malformed = { ...store, attempts: {} as AttemptStore };
    assert.throws(() => createFixture({ store: malformed, clock }), /store\.attempts/);
  });

  test("totals that are malformed do not change the limits of the process", async () => {
    const clock = new FakeClock();
    for (const totals of [
      [],
      [null],
      [{ count: NaN, endsInMs: 1 }],
      [{ count: -5, endsInMs: 0 }],
      null,
      [{}],
    ]) {
      const attempts = { add: async () => await Promise.resolve(totals) } as unknown as AttemptStore;
      const { issuer } = createFixture({ store: { ...memoryStore({ clock }), attempts }, clock });
      for (let i = 0; i < LIMIT; i++) {
        assert.equal((await issuer.login(wrong, { source })).status, "denied");
        await clock.advance(300);
        await nextTurn();
      }
      assert.equal((await issuer.login(right, { source })).status, "limited");
      await issuer.close();
    }
  });

  test("a closed issuer writes no attempts, also when some waited for the next write", async () => {
    const clock = new FakeClock();
    let writes = 0;
    const attempts: AttemptStore = {
      add: async () => {
        writes++;
        return await Promise.resolve([]);
      },
    };
    const { issuer } = createFixture({ store: { ...memoryStore({ clock }), attempts }, clock });
    await issuer.login(wrong, { source });
    await nextTurn();
    await issuer.login(wrong, { source });
    assert.equal(writes, 1);
    await issuer.close();
    await clock.advance(10_000);
    assert.equal(writes, 1);
  });

  test("law 6: a flood costs the store four bounded writes a second, and their keys reveal no account and no source", async () => {
    const clock = new FakeClock();
    const writes: (readonly AttemptDelta[])[] = [];
    const attempts: AttemptStore = {
      add: async (deltas) => {
        writes.push(deltas);
        return await Promise.resolve(deltas.map(({ count, windowMs }) => ({ count, endsInMs: windowMs })));
      },
    };
    const store = { ...memoryStore({ clock }), attempts };
    const base = { store, clock, emit: () => assert.fail("no event"), secrets: deriveSecrets(SECRET) };
    const limits = new LoginLimits(clock, new SharedAttempts(base));
    for (let step = 0; step < 40; step++) {
      for (let i = 0; i < 200; i++) {
        const outcome = limits.attempt(() => [`user ${step}/${i}`], `10.${step}.${i}.1`);
        if (outcome.status === "allowed") outcome.settle("wrong");
      }
      await clock.advance(25);
      await nextTurn();
    }
    assert.ok(writes.length >= 4 && writes.length <= 5, `${writes.length} writes`);
    for (const deltas of writes) {
      assert.ok(deltas.length <= 100);
      for (const { key } of deltas) assert.match(key, /^[\w-]{43}$/);
    }
  });
});
