import assert from "node:assert/strict";
import { test } from "node:test";
import { jwks } from "../../../src/index.ts";
import { makeFixture as makeDegradedFixture } from "../degraded/fixture.ts";
import { metricTotal, observationCount } from "../../support/metric-values.ts";
import { issuer, makeFixture } from "../fixture.ts";
import { SharedMap } from "../shared/shared-map.ts";

test("law 10: every decision is counted once, by issuer, status and reason", async () => {
  const { guard: open, mint, revoke, log, clock } = await makeFixture();
  const guard = open({ revocations: log });
  await guard.ready();
  const token = mint.token({ jti: "one", scope: "a" });
  for (let i = 0; i < 10; i++) await guard.validate(token);
  await guard.authorize(token, { scopes: ["b"] });
  await guard.validate("garbage");
  await guard.validate("x".repeat(20_000));
  await revoke("token", "one");
  await clock.advance(1_000);
  await guard.validate(token);
  const decisions = "holdfast_guard_decisions_total";
  assert.equal(metricTotal(guard, decisions, { issuer, status: "valid" }), 10);
  assert.equal(metricTotal(guard, decisions, { issuer, status: "forbidden" }), 1);
  assert.equal(metricTotal(guard, decisions, { issuer, detail: "revoked" }), 1);
  assert.equal(metricTotal(guard, decisions, { issuer: "unknown", detail: "malformed" }), 1);
  assert.equal(metricTotal(guard, decisions, { issuer: "unknown", detail: "too_large" }), 1);
  assert.equal(metricTotal(guard, decisions, {}), 14);
  assert.equal(
    metricTotal(guard, "holdfast_guard_findings_total", { from: "memory", basis: "verification" }),
    9,
  );
  assert.equal(metricTotal(guard, "holdfast_revocations_applied_total", { kind: "token" }), 1);
  await guard.close();
});

test("one of 256 decisions from memory is timed, and every other decision", async () => {
  const { guard: open, mint } = await makeFixture();
  const guard = open();
  const tokens = [mint.token(), mint.token()];
  for (let i = 0; i <= 256; i++) for (const token of tokens) await guard.validate(token);
  const durations = "holdfast_guard_decision_duration_seconds";
  assert.equal(observationCount(guard, durations, { from: "memory" }), 2);
  assert.equal(observationCount(guard, durations, { from: "verification" }), 2);
  await guard.close();
});

test("callers who join the work of another caller are counted as joined", async (t) => {
  const { guard: open, provider } = await makeDegradedFixture(t);
  const guard = open();
  const token = provider.token({ sub: "ada" });
  await Promise.all([1, 2, 3].map(async () => await guard.validate(token)));
  assert.equal(
    metricTotal(guard, "holdfast_guard_findings_total", { from: "joined", basis: "authority" }),
    2,
  );
  assert.equal(
    metricTotal(guard, "holdfast_authority_requests_total", { issuer: provider.issuer, outcome: "yes" }),
    1,
  );
  assert.ok(observationCount(guard, "holdfast_authority_request_duration_seconds", {}) >= 1);
});

test("law 10: a guard that decides without its authority reports it, with the time that is left", async (t) => {
  const { guard: open, provider, clock } = await makeDegradedFixture(t);
  const keys = jwks(provider.url("jwks"), { fetch: provider.fetch });
  const guard = open({ keys, degraded: "local" });
  const { issuer: of } = provider;
  await guard.ready();
  assert.equal(metricTotal(guard, "holdfast_degraded", {}), 0);
  provider.fault("introspection", { status: 500 });
  assert.equal((await guard.validate(provider.token({ sub: "ada" }))).status, "valid");
  assert.equal(metricTotal(guard, "holdfast_degraded", { issuer: of }), 1);
  assert.equal(metricTotal(guard, "holdfast_degraded_decisions_total", { issuer: of }), 1);
  assert.equal(metricTotal(guard, "holdfast_degraded_limit_seconds", { issuer: of }), 3_600);
  assert.equal(
    metricTotal(guard, "holdfast_guard_decisions_total", { status: "valid", degraded: "true" }),
    1,
  );
  await clock.advance(60_000);
  assert.ok(metricTotal(guard, "holdfast_degraded_age_seconds", { issuer: of }) >= 60);
  assert.ok(metricTotal(guard, "holdfast_authority_requests_total", { issuer: of, outcome: "failed" }) > 1);
  const states = ["open", "half-open"].map((state) =>
    metricTotal(guard, "holdfast_breaker_state", { state }),
  );
  assert.ok(states.includes(1) && states.includes(0));
  assert.ok(metricTotal(guard, "holdfast_breaker_transitions_total", { to: "open" }) >= 1);
  assert.equal(metricTotal(guard, "holdfast_keys_fetches_total", { outcome: "ok" }), 1);
  assert.ok(metricTotal(guard, "holdfast_keys_age_seconds", { issuer: of }) >= 60);
});

test("the number of series does not depend on what strangers send", async () => {
  const { guard: open, mint } = await makeFixture();
  const guard = open();
  const count = () => guard.metrics().reduce((sum, { samples }) => sum + samples.length, 0);
  const send = async (from: number, to: number) => {
    for (let i = from; i < to; i++) {
      await guard.validate(mint.token({ iss: `https://${i}.example` }));
      await guard.validate(mint.token({}, { kid: `kid-${i}` }));
      await guard.validate(`${i}.${i}.${i}`);
    }
  };
  await send(0, 10);
  const before = count();
  await send(10, 1_000);
  assert.equal(count(), before);
  assert.ok(before < 100, `${before} series`);
  await guard.close();
});

test("reads of the shared cache are timed, and those that fail as well", async (t) => {
  const { guard: open, provider, clock } = await makeDegradedFixture(t);
  const shared = new SharedMap();
  const guard = open({ shared });
  await guard.ready();
  const name = "holdfast_shared_request_duration_seconds";
  const before = observationCount(guard, name, { guard: t.name });
  await guard.validate(provider.token({ sub: "ada" }));
  assert.equal(observationCount(guard, name, { guard: t.name }), before + 1);
  shared.fault = () => {
    throw new Error("down");
  };
  await guard.validate(provider.token({ sub: "bob" }));
  assert.equal(observationCount(guard, name, { guard: t.name }), before + 2);
  const upstream = "shared";
  const isIn = (state: string) => metricTotal(guard, "holdfast_breaker_state", { upstream, state });
  assert.equal(isIn("closed"), 1);
  await clock.advance(10_000);
  assert.equal(isIn("open") + isIn("half-open"), 1);
  const opened = { issuer: "all", upstream, to: "open" };
  assert.ok(metricTotal(guard, "holdfast_breaker_transitions_total", opened) >= 1);
});
