import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { describeHeadline } from "../../../src/server/health/headline.ts";
import { HealthMonitor } from "../../../src/server/health/health-monitor.ts";
import type { HeadlineFacts } from "../../../src/server/health/problems.ts";
import type { ComponentHealth } from "../../../src/server/health/service-health.ts";
import { FakeClock } from "../../../src/testing/index.ts";
import { composedService } from "../dashboard/composed-service.ts";

const NOW = Date.UTC(2030, 0, 1);
const roles = new Set(["issuer", "gateway"] as const);
const provider = "https://id.example/realms/shop";

/** The facts of a service that works, to which a test does something. */
async function wellFacts(t: TestContext): Promise<HeadlineFacts> {
  const service = await composedService(t);
  const { headline, ...health } = await new HealthMonitor(service, roles, new FakeClock(NOW)).check();
  assert.deepEqual(headline, {
    status: "ok",
    text: "Everything works",
    advice: null,
    part: null,
    since: null,
  });
  const none = { answers: 0, failed: 0, limited: 0, sources: 0 };
  return {
    health,
    guard: service.guard.status(),
    store: service.store,
    fallback: { mode: "deny", maxMs: 900_000 },
    revocationLimitMs: 60_000,
    answers: { login: none, refresh: none },
    answersSince: { login: NOW, refresh: NOW },
    now: NOW,
  };
}

function failing(more: Partial<ComponentHealth>): ComponentHealth {
  const since = NOW - 240_000;
  return {
    status: "degraded",
    reason: null,
    detail: "",
    outcomes: {},
    effect: null,
    since,
    lastOkAt: null,
    ...more,
  };
}

/** The facts with these components. The outcomes follow from them, as far as these tests need it. */
function withComponents(
  facts: HeadlineFacts,
  components: Partial<HeadlineFacts["health"]["components"]>,
): HeadlineFacts {
  const { health } = facts;
  return {
    ...facts,
    health: { ...health, status: "degraded", components: { ...health.components, ...components } },
  };
}

test("a headline says how long a fault has lasted, and how much time is left", async (t) => {
  const facts = await wellFacts(t);
  const [own] = facts.guard.issuers;
  assert.ok(own !== undefined);
  const authority = {
    kind: "introspection",
    breaker: "open",
    failingMs: 240_000,
    retryAfterMs: 0,
    softTimeoutMs: 80,
    inFlight: 0,
    cause: "authority_unavailable",
    lastError: "timeout",
  } as const;
  const foreign = { ...own, issuer: provider, state: "degraded", authority } as const;
  const ailing = withComponents(
    { ...facts, guard: { ...facts.guard, issuers: [own, foreign] } },
    { provider: failing({ outcomes: { providerTokens: "degraded" } }) },
  );
  const text = (mode: "deny" | "cached" | "local", maxMs: number) =>
    describeHeadline({ ...ailing, fallback: { mode, maxMs } }).text;
  const name = "The authority of id.example/realms/shop has not answered for 4 min";
  assert.equal(text("local", 900_000), `${name}: its tokens are accepted degraded, 11 min are left`);
  assert.equal(
    text("cached", 900_000),
    `${name}: tokens that it knew are accepted degraded, 11 min are left, and others answer 503`,
  );
  assert.equal(text("deny", 900_000), `${name}: its tokens answer 503`);
  assert.equal(
    text("local", 200_000),
    `${name}: its tokens answer 503, because the time of degraded mode is over`,
  );
});

test("a headline names the cause, and not the parts that fail because of it", async (t) => {
  const facts = await wellFacts(t);
  const store = failing({
    status: "unavailable",
    reason: "SQLITE_BUSY",
    detail: "database is locked",
    outcomes: { login: "unavailable", refresh: "unavailable" },
  });
  const revocations = failing({ status: "unavailable", outcomes: { ownTokens: "unavailable" } });
  const both = describeHeadline(withComponents(facts, { store, revocations }));
  assert.equal(both.part, "store");
  assert.match(both.text, /^The store sqlite \S+ has been locked by another program for 4 min: [^.]+$/);
  assert.equal(both.since, NOW - 240_000);
  const stepped = { ...facts, guard: { ...facts.guard, clockSteppedMs: 3_600_000 } };
  const clock = failing({ outcomes: { ownTokens: "degraded" } });
  const all = describeHeadline(withComponents(stepped, { store, revocations, clock }));
  assert.equal(all.part, "clock");
  assert.match(
    all.text,
    /^The clock of this machine was set ahead by 1 h 4 min ago: .*\. Also check: store$/,
  );
});

test("what hurts users most comes first, and the other parts are named after it", async (t) => {
  const facts = await wellFacts(t);
  const store = failing({ reason: "durability", detail: "no appendfsync" });
  const keys = failing({ status: "unavailable", outcomes: { ownTokens: "unavailable" } });
  const { text, advice } = describeHeadline(withComponents(facts, { store, keys }));
  assert.equal(
    text,
    "The key set of this service has been unusable for 4 min: its tokens answer 503. Also check: store",
  );
  assert.ok(advice !== null);
});

test("a headline tells errors in answers from a flood of requests", async (t) => {
  const facts = await wellFacts(t);
  const { outcomes } = facts.health;
  const login = { status: "degraded", because: ["answers"] } as const;
  const ailing = {
    ...facts,
    health: { ...facts.health, status: "degraded", outcomes: { ...outcomes, login } },
  } as const;
  const text = (failed: number, limited: number) =>
    describeHeadline({
      ...ailing,
      answers: { ...facts.answers, login: { answers: 20, failed, limited, sources: limited } },
    }).text;
  assert.equal(text(5, 2), "5 of the last 20 logins have answered 5xx: users have to try again");
  assert.equal(
    text(0, 18),
    "A flood of logins has come from 18 networks: 18 of the last 20 logins answered 429, and users may have to wait",
  );
});

test("the time since which a part fails follows the wall clock when that is set", async (t) => {
  const service = await composedService(t);
  const clock = new FakeClock(NOW);
  const monitor = new HealthMonitor(service, roles, clock);
  await service.store.close();
  const { store: before } = (await monitor.check()).components;
  await clock.advance(10_000);
  clock.setWall(NOW + 3_600_000);
  const { store: after } = (await monitor.check()).components;
  assert.equal(before.since, NOW);
  assert.equal(after.since, NOW + 3_600_000 - 10_000);
});
