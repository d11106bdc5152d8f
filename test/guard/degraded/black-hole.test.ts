import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { createGuard, introspection, staticKeys } from "../../../src/index.ts";
import { createFaultProxy, createProvider, seededRandom } from "../../../src/testing/index.ts";
import {
  audience,
  degradedVerdict,
  makeFixture,
  noAnswer,
  describeDecision,
  settleWithin,
} from "./fixture.ts";

test("fault 25: the first call to an authority that hangs gets a degraded verdict at the soft timeout of 80 ms", async (t) => {
  const { guard, provider, clock } = await makeFixture(t);
  const g = guard({ degraded: "local" });
  provider.fault("introspection", { hang: true });
  const call = g.validate(provider.token());
  assert.equal(describeDecision(await settleWithin(clock, 79, call)), "pending");
  const verdict = await settleWithin(clock, 1, call);
  assert.equal(describeDecision(verdict), degradedVerdict);
  assert.deepEqual(verdict !== "pending" && verdict.status === "valid" && verdict.degraded, {
    cause: "authority_unavailable",
    sinceMs: 80,
  });
});

test("fault 25: a call that must not fall back waits for the hard timeout of 2 s", async (t) => {
  const { guard, provider, clock } = await makeFixture(t);
  const g = guard({ degraded: "local" });
  provider.fault("introspection", { hang: true });
  const token = provider.token();
  const calls = [
    g.authorize(token, { degraded: "deny" }),
    g.authorize(token, { degraded: "cached" }),
    g.validate(provider.opaqueToken()),
  ];
  for (const call of calls) assert.equal(describeDecision(await settleWithin(clock, 0, call)), "pending");
  await clock.advance(1_999);
  for (const call of calls) assert.equal(describeDecision(await settleWithin(clock, 0, call)), "pending");
  await clock.advance(1);
  for (const call of calls) assert.equal(describeDecision(await call), noAnswer);
});

test("fault 17: an answer of one byte a second is aborted after 2 s, and calls that may fall back wait 80 ms", async (t) => {
  const { guard, provider, clock } = await makeFixture(t);
  const g = guard({ degraded: "local" });
  await g.ready();
  provider.fault("introspection", { answer: "slow-loris" });
  const token = provider.token();
  const [strict, lax] = [g.authorize(token, { degraded: "deny" }), g.validate(token)];
  assert.equal(describeDecision(await settleWithin(clock, 80, lax)), degradedVerdict);
  assert.equal(describeDecision(await settleWithin(clock, 1_920, strict)), noAnswer);
});

/** Latencies with a median of 150 ms. The slowest one in 100 takes 150 · e^(2.33 · spread). */
function logNormal(spread: number, random: () => number): () => number {
  return () => {
    const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    return 150 * Math.exp(spread * normal);
  };
}

for (const isReady of [true, false]) {
  test(`fault 25: a healthy authority of 150 ms degrades ${isReady ? "no call after ready()" : "at most 8 of 300 calls without ready()"}`, async (t) => {
    const worlds = Array.from({ length: 5 }, (_, seed) => seed);
    for (const seed of worlds) {
      const { guard, provider, clock } = await makeFixture(t);
      provider.fault("introspection", { latencyMs: logNormal(0.25, seededRandom(seed)) });
      const g = guard({ degraded: "local" });
      if (isReady) {
        const ready = g.ready();
        await clock.advance(1_000);
        await ready;
      }
      const calls: Promise<string>[] = [];
      for (let i = 0; i < 300; i++) {
        calls.push(g.validate(provider.token()).then(describeDecision));
        await clock.advance(25);
      }
      await clock.advance(2_000);
      const degraded = (await Promise.all(calls)).filter((one) => one !== "valid");
      assert.ok(degraded.length <= (isReady ? 0 : 8), `${degraded.length} with seed ${seed}`);
      assert.equal(g.status().state, "ready");
      await g.close();
    }
  });
}

test("fault 39: an answer that arrives while the event loop is blocked is not late", async (t) => {
  const { guard, provider, clock } = await makeFixture(t);
  const g = guard({ degraded: "local" });
  await g.ready();
  const { promise, resolve } = Promise.withResolvers<Response>();
  provider.fault("introspection", { respond: async () => await promise });
  const call = g.validate(provider.token());
  await clock.advance(10);
  const blocked = clock.block(2_000);
  await new Promise<void>((go) => setImmediate(go));
  resolve(Response.json({ active: true }));
  await blocked;
  assert.equal(describeDecision(await settleWithin(clock, 10, call)), "valid");
  assert.equal(g.status().state, "ready");
});

test("fault 25: over real sockets the guard degrades in a black hole, opens the breaker and recovers", async (t) => {
  const provider = await createProvider({ audience });
  const proxy = await createFaultProxy({ target: await provider.listen() });
  t.after(async () => {
    await proxy.close();
    await provider.close();
  });
  const guard = createGuard({
    issuer: provider.issuer,
    audience,
    keys: staticKeys(provider.jwks()),
    authority: introspection({
      url: provider.url("introspection").replace(new URL(provider.url("introspection")).origin, proxy.url),
      clientId: provider.clientId,
      clientSecret: provider.clientSecret,
      probeMs: 1_000,
    }),
    degraded: "local",
    name: t.name,
  });
  t.after(async () => await guard.close());
  await guard.ready();
  assert.equal(describeDecision(await guard.validate(provider.token())), "valid");
  proxy.set({ kind: "black-hole" });
  const ended = provider.token();
  provider.revoke(ended);
  assert.equal(describeDecision(await guard.validate(ended)), degradedVerdict);
  // The answer is late: the proxy passes on what the black hole held back.
  proxy.set({ kind: "pass" });
  await until(() => guard.status().inFlight === 0);
  assert.equal(describeDecision(await guard.validate(ended)), "invalid: revoked");
  proxy.set({ kind: "refuse" });
  const breaker = () => guard.status().issuers[0]?.authority?.breaker;
  await until(async () => {
    assert.equal(describeDecision(await guard.validate(provider.token())), degradedVerdict);
    return breaker() === "open";
  });
  assert.equal(guard.status().state, "degraded");
  const token = provider.token();
  assert.equal(describeDecision(await guard.validate(token)), degradedVerdict);
  proxy.set({ kind: "pass" });
  await until(() => breaker() === "closed");
  const verdict = await guard.validate(token);
  assert.ok(verdict.status === "valid" && verdict.degraded === null && verdict.basis === "authority");
  assert.equal(guard.status().state, "ready");
});

/** Polls for 20 s at most. */
async function until(done: () => boolean | Promise<boolean>): Promise<void> {
  const began = performance.now();
  while (!(await done())) {
    assert.ok(performance.now() - began < 20_000);
    await setTimeout(10);
  }
}
