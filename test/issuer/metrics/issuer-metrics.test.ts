import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryStore } from "../../../src/stores/memory.ts";
import { FakeClock } from "../../../src/testing/fake-clock.ts";
import { metricTotal, observationCount } from "../../support/metric-values.ts";
import { createFixture, logIn } from "../fixture.ts";
import { failStore } from "../stores.ts";

const minute = 60_000;

test("law 10: logins are counted by outcome, and sessions by their beginning and end", async () => {
  const { issuer } = createFixture();
  const wrong = { username: "ann", password: "wrong" };
  const { session_id: id } = await logIn(issuer);
  await logIn(issuer);
  await logIn(issuer, "bob");
  for (let i = 0; i < 12; i++) await issuer.login(wrong, { source: "203.0.113.7" });
  const logins = (outcome: string) => metricTotal(issuer, "holdfast_logins_total", { outcome });
  assert.equal(logins("ok"), 3);
  assert.ok(logins("refused") >= 5 && logins("limited") >= 1);
  assert.equal(logins("refused") + logins("limited"), 12);
  assert.equal(observationCount(issuer, "holdfast_login_duration_seconds", {}), 15);
  await issuer.endSession(id);
  await issuer.endSession(id);
  await issuer.revoke({ kind: "subject", id: "ann" });
  assert.equal(metricTotal(issuer, "holdfast_sessions_started_total", {}), 3);
  assert.equal(metricTotal(issuer, "holdfast_sessions_ended_total", { reason: "revoked" }), 2);
  assert.equal(metricTotal(issuer, "holdfast_audit_events_total", { kind: "login" }), 3);
  await issuer.close();
});

test("law 8: refreshes are counted by outcome, with the delay after which a lost answer is asked for", async () => {
  const { issuer, clock } = createFixture();
  const { refresh_token: first } = await logIn(issuer);
  const rotated = await issuer.refresh(first);
  assert.ok(rotated.status === "ok");
  await clock.advance(20 * minute);
  assert.equal((await issuer.refresh(first)).status, "ok");
  await issuer.acknowledge(rotated.tokens.refresh_token);
  await clock.advance(60 * minute);
  assert.equal((await issuer.refresh(first)).status, "invalid_grant");
  await issuer.refresh("no token");
  const refreshes = (outcome: string) => metricTotal(issuer, "holdfast_refreshes_total", { outcome });
  assert.deepEqual(["rotated", "repeated", "reuse", "invalid_grant"].map(refreshes), [1, 1, 1, 1]);
  const { samples } = issuer.metrics().find(({ name }) => name.endsWith("repeat_delay_seconds")) ?? {};
  assert.ok(samples?.[0] !== undefined && "sum" in samples[0]);
  assert.equal(samples[0].sum, 20 * 60);
  assert.equal(metricTotal(issuer, "holdfast_sessions_ended_total", { reason: "reuse" }), 1);
  await issuer.close();
});

test("law 10: a store that fails is down in the metrics until it answers, and a failed write until one succeeds", async () => {
  const clock = new FakeClock();
  let failing = false;
  const memory = memoryStore({ clock });
  const store = failStore(memory, (name) => failing && name.startsWith("sessions.") && "before");
  const { issuer } = createFixture({ clock, store });
  const { refresh_token: token } = await logIn(issuer);
  const up = () => metricTotal(issuer, "holdfast_store_up", { store: memory.description });
  assert.equal(up(), 1);
  failing = true;
  assert.equal((await issuer.refresh(token)).status, "unavailable");
  assert.equal(up(), 0);
  assert.equal(metricTotal(issuer, "holdfast_refreshes_total", { outcome: "unavailable" }), 1);
  const failed = { command: "sessions", outcome: "failed" };
  assert.ok(metricTotal(issuer, "holdfast_store_commands_total", failed) >= 1);
  failing = false;
  assert.equal((await issuer.refresh(token)).status, "ok");
  assert.equal(up(), 1);
  await issuer.close();
});

test("the age of the signing key begins again when another key signs", async () => {
  const { issuer, clock } = createFixture();
  await issuer.ready();
  await clock.advance(30 * minute);
  const age = (state: string) => metricTotal(issuer, "holdfast_signing_key_age_seconds", { state });
  assert.equal(age("active"), 30 * 60);
  await issuer.keys.rotate();
  assert.equal(age("active"), 0);
  assert.equal(age("retired"), 0);
  await issuer.close();
});
