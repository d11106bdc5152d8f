import assert from "node:assert/strict";
import { test } from "node:test";
import { storeEvents } from "../../../src/core/event-channels.ts";
import type { StoreEvent } from "../../../src/core/events.ts";
import { logIn, makeRevocation } from "../../../src/stores/conformance/fixtures.ts";
import { World } from "../../../src/testing/simulation/index.ts";
import { SimulatedRedis } from "../../../sim/stores/redis.ts";

test("law 3: a session that began after a cut-off, and before its entry of the log, stays live after a failover", async () => {
  const world = new World({ seed: 1 });
  const redis = new SimulatedRedis({ kind: "single", clock: world.clock, random: world.random });
  let states = null as { before: unknown[]; after: unknown[] } | null;
  world.process("service", async (context) => {
    const store = await redis.connect(null, context);
    const until = (await store.now()) + 600_000;
    await logIn(store, "s0", "ann");
    const ending = store.sessions.endAll("ann", "revoked", { issuer: "https://issuer.test", until });
    const logins = Array.from({ length: 39 }, async (_, number) => {
      await context.sleep(number / 4);
      await logIn(store, `s${number + 1}`, "ann");
    });
    await Promise.all([ending, ...logins]);
    const read = async () => {
      const found = [];
      for (let number = 0; number < 40; number++) {
        const session = await store.sessions.get(`s${number}`);
        found.push(session === null ? null : (session.endReason ?? "live"));
      }
      return found;
    };
    const before = await read();
    for (const node of redis.deployment.nodes) node.closeConnections(new Error("read ECONNRESET"));
    await context.sleep(10_000);
    states = { before, after: await read() };
  });
  await world.run(60_000);
  assert.ok(states !== null);
  assert.ok(states.before.includes("live") && states.before.includes("revoked"));
  assert.deepEqual(states.after, states.before);
});

test("law 10: an end that was never acknowledged is carried out after a failover, and no loss is announced", async (t) => {
  const events: string[] = [];
  const collect = (event: unknown) => void events.push((event as StoreEvent).event);
  storeEvents.subscribe(collect);
  t.after(() => storeEvents.unsubscribe(collect));
  const world = new World({ seed: 1 });
  const redis = new SimulatedRedis({ kind: "single", clock: world.clock, random: world.random });
  let reason = null as string | null | undefined;
  world.process("service", async (context) => {
    const store = await redis.connect(null, context);
    await logIn(store, "one", "ann");
    // The command that ends a session appends its revocation first. Its second step fails here.
    await store.revocations.append(await makeRevocation(store, "session", "one"));
    for (const node of redis.deployment.nodes) node.closeConnections(new Error("read ECONNRESET"));
    await context.sleep(10_000);
    reason = (await store.sessions.get("one"))?.endReason;
  });
  await world.run(60_000);
  assert.equal(reason, "revoked");
  assert.deepEqual(events, ["connection_failed", "connection_restored"]);
});
