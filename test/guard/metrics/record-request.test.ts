import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { test, type TestContext } from "node:test";
import type { BreakerEvent, KeysEvent, QuestionEvent } from "../../../src/core/operation-events.ts";
import { jwks } from "../../../src/index.ts";
import { makeFixture } from "../degraded/fixture.ts";

/** The events of a channel about the guard of this test, from now on. */
function collect<E extends { readonly guard: string }>(t: TestContext, channel: string): E[] {
  const events: E[] = [];
  const listen = (event: unknown) => {
    if ((event as E).guard === t.name) events.push(event as E);
  };
  subscribe(channel, listen);
  t.after(() => unsubscribe(channel, listen));
  return events;
}

const byUsers = (questions: readonly QuestionEvent[]) => questions.filter(({ probe }) => !probe);

test("each question is one event with its outcome, time and number of requests", async (t) => {
  const questions = collect<QuestionEvent>(t, "holdfast:question");
  const { guard: open, provider, respondWith } = await makeFixture(t);
  const guard = open();
  const token = provider.token({ sub: "ada" });
  await Promise.all([guard.validate(token), guard.validate(token)]);
  respondWith({ active: false });
  await guard.validate(provider.token({ sub: "bob" }));
  respondWith(() => new Response("", { status: 403 }));
  await guard.validate(provider.token({ sub: "cid" }));
  respondWith(() => new Response("[]"));
  await guard.validate(provider.token({ sub: "dot" }));
  const asked = byUsers(questions);
  assert.deepEqual(
    asked.map(({ outcome, attempt }) => `${outcome} ${attempt}`),
    ["yes 1", "no 1", "misconfigured 1", "unusable 1"],
  );
  for (const { issuer, durationMs } of asked) assert.ok(issuer === provider.issuer && durationMs >= 0);
  assert.ok(questions.some(({ probe, outcome }) => probe && outcome === "no"));
  assert.ok(!JSON.stringify(questions).includes(token));
});

test("a retry, a soft timeout and an open breaker are different outcomes", async (t) => {
  const questions = collect<QuestionEvent>(t, "holdfast:question");
  const changes = collect<BreakerEvent>(t, "holdfast:breaker");
  const { guard: open, provider, clock } = await makeFixture(t);
  const guard = open({ degraded: "local" });
  await guard.ready();
  provider.fault("introspection", { status: 502, times: 1 });
  await guard.validate(provider.token({ sub: "ada" }));
  assert.deepEqual(byUsers(questions).at(-1)?.attempt, 2);
  provider.fault("introspection", { hang: true });
  const waiting = guard.validate(provider.token({ sub: "bob" }));
  await clock.advance(2_500);
  assert.equal((await waiting).status, "valid");
  const outcomes = byUsers(questions).map(({ outcome }) => outcome);
  assert.deepEqual(outcomes, ["yes", "soft_timeout", "failed"]);
  provider.fault("introspection", { status: 500 });
  await clock.advance(10_000);
  await guard.validate(provider.token({ sub: "cid" }));
  assert.deepEqual(byUsers(questions).at(-1), {
    guard: t.name,
    issuer: provider.issuer,
    outcome: "refused",
    durationMs: 0,
    attempt: 0,
    probe: false,
  });
  provider.restore();
  await clock.advance(30_000);
  const path = changes.map(({ upstream, from, to }) => `${upstream}: ${from} → ${to}`);
  assert.equal(path[0], "authority: closed → open");
  assert.deepEqual(path.slice(-2), ["authority: open → half-open", "authority: half-open → closed"]);
});

test("each fetch of a key set is one event with its outcome and time", async (t) => {
  const fetches = collect<KeysEvent>(t, "holdfast:keys");
  const { guard: open, provider, clock } = await makeFixture(t);
  provider.fault("jwks", { status: 500 });
  const guard = open({ keys: jwks(provider.url("jwks"), { fetch: provider.fetch }) });
  const ready = guard.ready();
  await clock.advance(500);
  provider.restore();
  await clock.advance(60_000);
  await ready;
  assert.deepEqual([fetches[0]?.outcome, fetches.at(-1)?.outcome], ["failed", "ok"]);
  for (const { issuer, durationMs } of fetches) assert.ok(issuer === provider.issuer && durationMs >= 0);
});
