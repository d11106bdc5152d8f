import assert from "node:assert/strict";
import { test } from "node:test";
import { hour, degradedVerdict, makeFixture, noAnswer, describeDecision } from "./fixture.ts";

for (const [mode, whileOut] of [
  ["deny", "unavailable"],
  ["cached", "degraded"],
  ["local", "degraded"],
] as const) {
  test(`in mode ${mode} an outage takes the status from ready to ${whileOut}, and recovery to ready`, async (t) => {
    const { guard, provider, clock } = await makeFixture(t);
    const g = guard({ degraded: mode });
    await g.ready();
    const state = () => [g.status().state, g.status().issuers[0]?.state];
    assert.deepEqual(state(), ["ready", "ready"]);
    // The background probe notices the outage without any call.
    provider.fault("introspection", { refuse: true });
    await clock.advance(15_000);
    assert.deepEqual(state(), [whileOut, whileOut]);
    const said = g.status().issuers[0]?.authority;
    assert.ok(said?.lastError === "ECONNREFUSED" && (said.failingMs ?? 0) > 0 && said.breaker !== "closed");
    await clock.advance(hour);
    assert.deepEqual(state(), ["unavailable", "unavailable"], "the outage is longer than maxMs");
    provider.restore();
    await clock.advance(60_000);
    assert.deepEqual(state(), ["ready", "ready"]);
  });
}

test("one failed question makes the status degraded, not unavailable, until the breaker opens", async (t) => {
  const { guard, provider } = await makeFixture(t);
  const g = guard();
  await g.ready();
  provider.fault("introspection", { status: 500, times: 1 });
  assert.equal(describeDecision(await g.validate(provider.token())), noAnswer);
  assert.equal(g.status().state, "degraded");
  assert.equal(describeDecision(await g.validate(provider.token())), "valid");
  assert.equal(g.status().state, "ready");
});

test("law 10: degradedDecisions counts degraded verdicts only", async (t) => {
  const { guard, provider } = await makeFixture(t);
  const g = guard({ degraded: "local" });
  const count = () => g.status().issuers[0]?.degradedDecisions;
  provider.fault("introspection", { refuse: true });
  const token = provider.token({ scope: "read" });
  assert.equal(describeDecision(await g.authorize(token, { degraded: "deny" })), noAnswer);
  assert.equal(describeDecision(await g.authorize(token, { scopes: ["write"] })), noAnswer);
  assert.equal(
    describeDecision(await g.authorize(token, { maxRevocationAgeMs: 1 })),
    "unavailable: revocations_stale",
  );
  assert.equal(count(), 0);
  assert.equal(describeDecision(await g.authorize(token)), degradedVerdict);
  assert.equal(count(), 1);
});

for (const mode of ["deny", "cached", "local"] as const) {
  test(`during an outage ready() ${mode === "local" ? "resolves after the first failure" : "rejects and names the authority"} in mode ${mode}`, async (t) => {
    const { guard, provider, clock } = await makeFixture(t);
    provider.fault("introspection", { refuse: true });
    const g = guard({ degraded: mode });
    const settled = Promise.allSettled([g.ready()]);
    await clock.advance(5_000);
    const [outcome] = await settled;
    if (mode === "local") {
      assert.equal(outcome.status, "fulfilled");
      return;
    }
    assert.ok(outcome.status === "rejected");
    const { code, message } = outcome.reason as { code: string; message: string };
    assert.equal(code, "not_ready");
    assert.match(message, /still lacks an answer of the authority: ECONNREFUSED after 5000 ms/);
  });
}

test("the probe detects an authority that gives every token the same answer", async (t) => {
  for (const answer of [{ active: true }, { active: "no" }, { status: "UP" }]) {
    await t.test(JSON.stringify(answer), async (tt) => {
      const { guard, provider, clock } = await makeFixture(tt);
      const g = guard({ degraded: "local" });
      await g.ready();
      provider.fault("introspection", { respond: () => Response.json(answer) });
      await clock.advance(30_000);
      assert.equal(g.status().state, "degraded");
      assert.notEqual(g.status().issuers[0]?.authority?.breaker, "closed");
      assert.equal(describeDecision(await g.validate(provider.token())), degradedVerdict);
    });
  }
});

test("a late answer does not end an outage while the breaker is open", async (t) => {
  const { guard, provider, clock } = await makeFixture(t);
  const g = guard({ degraded: "local" });
  await g.ready();
  const { promise, resolve } = Promise.withResolvers<Response>();
  provider.fault("introspection", { respond: async () => await promise, times: 1 });
  void g.validate(provider.token());
  await clock.advance(0);
  provider.fault("introspection", { refuse: true });
  for (let i = 0; i < 6; i++) {
    await g.validate(provider.token());
    await clock.advance(250);
  }
  resolve(Response.json({ active: true }));
  await clock.advance(0);
  const { failingMs, breaker } = g.status().issuers[0]?.authority ?? {};
  assert.deepEqual([failingMs, breaker], [null, "open"]);
  assert.equal(g.status().state, "degraded");
});
