import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test, type TestContext } from "node:test";
import { clockFinding } from "../../../src/server/health/component-health.ts";
import { describeHeadline } from "../../../src/server/health/headline.ts";
import { HealthMonitor } from "../../../src/server/health/health-monitor.ts";
import type { HeadlineFacts } from "../../../src/server/health/problems.ts";
import { runbookSections } from "../../../src/server/health/runbook.ts";
import type { ComponentHealth } from "../../../src/server/health/service-health.ts";
import { FakeClock } from "../../../src/testing/index.ts";
import { composedService } from "../dashboard/composed-service.ts";
import { failingAuthority } from "../dashboard/failing-authority.ts";

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
    runbook: null,
  });
  const none = { answers: 0, failed: 0, limited: 0, sources: 0, damaged: 0, lost: 0 };
  return {
    health,
    guard: service.guard.status(),
    store: service.store,
    fallback: { mode: "deny", maxMs: 900_000, memoryTtlMs: 300_000 },
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
    advice: null,
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
  const authority = failingAuthority({ failingMs: 240_000 });
  const foreign = { ...own, issuer: provider, state: "degraded", authority } as const;
  const ailing = withComponents(
    { ...facts, guard: { ...facts.guard, issuers: [own, foreign] } },
    { provider: failing({ outcomes: { providerTokens: "degraded" } }) },
  );
  const text = (mode: "deny" | "cached" | "local", maxMs: number) =>
    describeHeadline({ ...ailing, fallback: { mode, maxMs, memoryTtlMs: 300_000 } }).text;
  const name = "The authority of id.example/realms/shop has not answered for 4 min";
  assert.equal(
    text("local", 900_000),
    `${name}: its tokens are accepted without the authority for 11 min more`,
  );
  assert.equal(
    text("cached", 900_000),
    `${name}: tokens that it knew are accepted without the authority for 11 min more, and others answer 503`,
  );
  assert.equal(text("deny", 900_000), `${name}: its tokens answer 503`);
  assert.equal(
    text("local", 200_000),
    `${name}: its tokens answer 503, because the time of degraded mode is over`,
  );
});

test("law 10: a headline says that the clock of a provider differs, and what its users notice", async (t) => {
  const facts = await wellFacts(t);
  const [own] = facts.guard.issuers;
  assert.ok(own !== undefined);
  const told = (clockDifferenceMs: number) => {
    const issuers = [own, { ...own, issuer: provider, clockDifferenceMs }];
    const status = { ...facts.guard, issuers };
    const finding = clockFinding(status, { clockDifferenceMs: 0, description: "sqlite" });
    const clock = failing(finding);
    return { finding, headline: describeHeadline(withComponents({ ...facts, guard: status }, { clock })) };
  };
  const { finding, headline } = told(3_600_000);
  assert.deepEqual([finding.status, finding.reason], ["degraded", "clock_differs"]);
  assert.deepEqual(finding.outcomes, { providerTokens: "degraded" });
  assert.equal(
    headline.text,
    "The clocks of this machine and of a provider have differed for 4 min: good tokens of the provider may be refused as expired",
  );
  assert.match(headline.advice ?? "", /NTP.*3600 s ahead of that of https:\/\/id\.example\/realms\/shop\.$/);
  assert.match(told(-60_000).headline.text, /new tokens of the provider may be refused, and expired ones/);
  assert.equal(told(0).finding.status, "ok");
});

test("law 10: without degraded mode, a headline says how long remembered tokens still pass", async (t) => {
  const facts = await wellFacts(t);
  const [own] = facts.guard.issuers;
  assert.ok(own !== undefined);
  const told = (failingMs: number, remembered: number, usable = true) => {
    const authority = failingAuthority({ failingMs });
    const keys = { ...own.keys, usable, lastError: usable ? null : "openid-configuration answered 503" };
    const foreign = { ...own, issuer: provider, state: "unavailable", keys, authority } as const;
    const memory = { ...facts.guard.memory, valid: { ...facts.guard.memory.valid, size: remembered } };
    const component = failing({ outcomes: { providerTokens: "degraded" } });
    const guard = { ...facts.guard, issuers: [own, foreign], memory };
    return describeHeadline(withComponents({ ...facts, guard }, { provider: component }));
  };
  const name = "The authority of id.example/realms/shop has not answered for";
  assert.equal(
    told(60_000, 1).text,
    `${name} 60 s: its new tokens answer 503, and remembered ones pass for up to 4 min more`,
  );
  assert.equal(told(60_000, 0).text, `${name} 60 s: its tokens answer 503`);
  assert.equal(told(300_000, 1).text, `${name} 5 min: its tokens answer 503`);
  // A token needs a key before the authority is asked.
  const both = told(60_000, 1, false);
  assert.equal(
    both.text,
    "The key set of id.example/realms/shop could not be fetched for 4 min, and its authority has not answered: its tokens answer 503",
  );
  assert.equal(both.runbook, "HoldfastKeysUnreachable");
  assert.match(both.advice ?? "", /openid-configuration answered 503$/);
});

test("a headline tells an authority that answers with an error from one that does not answer", async (t) => {
  const facts = await wellFacts(t);
  const [own] = facts.guard.issuers;
  assert.ok(own !== undefined);
  const told = (cause: "authority_misconfigured" | "authority_unavailable", lastError: string) => {
    const authority = failingAuthority({ cause, lastError });
    const foreign = { ...own, issuer: provider, state: "unavailable", authority } as const;
    const ailing = { ...facts, guard: { ...facts.guard, issuers: [own, foreign] } };
    const component = failing({ outcomes: { providerTokens: "unavailable" } });
    const { text, runbook } = describeHeadline(withComponents(ailing, { provider: component }));
    return [text.replace("The authority of id.example/realms/shop ", ""), runbook];
  };
  assert.deepEqual(told("authority_misconfigured", "the authority answered 401"), [
    "has refused this service itself (401) for 39 s: its tokens answer 503",
    "HoldfastAuthorityMisconfigured",
  ]);
  assert.deepEqual(told("authority_unavailable", "the authority answered 500"), [
    "has answered 500 for 39 s: its tokens answer 503",
    "HoldfastBreakerOpen",
  ]);
  assert.deepEqual(told("authority_unavailable", "no answer within 2000 ms"), [
    "has not answered for 39 s: its tokens answer 503",
    "HoldfastBreakerOpen",
  ]);
});

test("law 10: the headline of a failing store says that routes which need fresh revocations answer 503", async (t) => {
  const facts = await wellFacts(t);
  const [own] = facts.guard.issuers;
  assert.ok(own?.revocations != null);
  const view = { ...own.revocations, complete: false, ageMs: 39_000, lastError: "READONLY" };
  const store = failing({
    status: "unavailable",
    reason: "READONLY",
    detail: `${facts.store.description}: READONLY You can't write against a read only replica.`,
    outcomes: { login: "unavailable", refresh: "unavailable" },
  });
  const told = (revocations: ComponentHealth) =>
    describeHeadline(
      withComponents(
        { ...facts, guard: { ...facts.guard, issuers: [{ ...own, revocations: view }] } },
        { store, revocations },
      ),
    );
  const { text, advice, runbook } = told(
    failing({ reason: "revocations_stale", outcomes: { ownTokens: "degraded" } }),
  );
  assert.match(text, /has been a read-only replica for 4 min and takes no writes: /);
  assert.match(
    text,
    / 503, tokens on routes that need fresh revocations answer 503, and on the others in 21 s$/,
  );
  assert.ok(advice?.endsWith("The last error: READONLY You can't write against a read only replica."));
  assert.equal(runbook, "HoldfastStoreFailing");
  assert.match(
    told(failing({ reason: "revocations_failed" })).text,
    /, tokens are accepted without new revocations for 21 s more$/,
  );
});

test("a headline keeps the end of a long error, which tells more than the middle", async (t) => {
  const facts = await wellFacts(t);
  const store = failing({ reason: "EIO", detail: `start ${"x".repeat(300)} the end` });
  const { advice } = describeHeadline(withComponents(facts, { store }));
  assert.match(advice ?? "", /The last error: start x+ … x+ the end$/);
  assert.ok((advice ?? "").length < 300);
});

test("the advice for a file that is gone is not that for a server", async (t) => {
  const facts = await wellFacts(t);
  const { description } = facts.store;
  const told = (problem: string) => {
    const detail = `${description} ${problem}`;
    const store = failing({ status: "unavailable", reason: "store_unavailable", detail });
    const { text, advice } = describeHeadline(withComponents(facts, { store }));
    assert.doesNotMatch(advice ?? "", /server of|server runs|network/);
    return `${text} ${advice}`;
  };
  assert.match(
    told("was removed while it was open: …"),
    / has been without its file for 4 min, which was removed: .* Move the same file back\. /,
  );
  assert.match(
    told("was replaced while it was open: …"),
    / has had another file in its place for 4 min: .* Restart to use the new file /,
  );
  assert.match(told("cannot be used: …"), / could not be used for 4 min: .* Check the file of the store/);
});

test("the advice for a key set that is not at its address names the setting", async (t) => {
  const facts = await wellFacts(t);
  const [own] = facts.guard.issuers;
  assert.ok(own !== undefined);
  const advice = (lastError: string) => {
    const keys = { ...own.keys, usable: false, lastError };
    const foreign = { ...own, issuer: provider, state: "starting", keys } as const;
    const component = failing({ outcomes: { providerTokens: "unavailable" } });
    const guard = { ...facts.guard, issuers: [own, foreign] };
    return describeHeadline(withComponents({ ...facts, guard }, { provider: component })).advice ?? "";
  };
  assert.match(advice("the key set answered 404"), /^Correct HOLDFAST_PROVIDER_JWKS_URL, or remove it /);
  assert.match(advice("openid-configuration answered 404"), /^Correct HOLDFAST_PROVIDER_ISSUER, /);
  assert.match(advice("the key set answered 503"), /ask the operator of the provider\. /);
  assert.match(advice("no answer within 5000 ms"), /check proxy, DNS and certificates\. /);
});

test("every section of the runbook that a headline names is there", async () => {
  const runbook = await readFile(new URL("../../../ops/runbook.md", import.meta.url), "utf8");
  const headings = new Set([...runbook.matchAll(/^## (\S+)$/gm)].map(([, heading]) => heading));
  assert.deepEqual(
    runbookSections.filter((section) => !headings.has(section)),
    [],
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
    /^The clock of this machine was set ahead by 1 h, 4 min ago: .*\. Also check: store$/,
  );
});

test("law 10: the advice about a clock that was set tells when tokens pass again", async (t) => {
  const facts = await wellFacts(t);
  const advice = (clockSteppedMs: number) => {
    const stepped = { ...facts, guard: { ...facts.guard, clockSteppedMs } };
    const clock = failing({ outcomes: { ownTokens: "degraded" } });
    return describeHeadline(withComponents(stepped, { clock })).advice ?? "";
  };
  assert.match(advice(3_600_000), /The new time counts after a minute\. All times/);
  assert.match(
    advice(-3_600_000),
    /new tokens pass within five minutes, and after a restart at once\. All times/,
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
  const text = (failed: number, limited: number, since = NOW) =>
    describeHeadline({
      ...ailing,
      answersSince: { login: since, refresh: NOW },
      answers: {
        ...facts.answers,
        login: { ...facts.answers.login, answers: 20, failed, limited, sources: limited },
      },
    }).text;
  assert.equal(text(5, 2), "5 of 20 logins answered 5xx in the last 4 s: their users had to try again");
  assert.match(text(5, 2, NOW - 240_000), / in the last 4 s \(such answers began 4 min ago\): /);
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
