import assert from "node:assert/strict";
import type { IncomingMessage } from "node:http";
import { test, type TestContext } from "node:test";
import { parse } from "yaml";
import { RequestMetrics } from "../../src/server/http/request-metrics.ts";
import { backupMetrics } from "../../src/server/backup-metrics.ts";
import { audience, makeFixture as makeAuthorityFixture, type Fixture } from "../guard/degraded/fixture.ts";
import { createTestConnections, openConnection } from "../connections/fixture.ts";
import { makeFixture } from "../guard/fixture.ts";
import { createFixture, ISSUER_URL, logIn, SECRET } from "../issuer/fixture.ts";
import { failStore } from "../issuer/stores.ts";
import { createGuard, jwks } from "../../src/index.ts";
import { createIssuer } from "../../src/issuer/create-issuer.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import type { Store } from "../../src/stores/store.ts";
import { FakeClock } from "../../src/testing/index.ts";
import { noPromtool, testRules } from "./promtool.ts";
import { Recording } from "./recording.ts";
import { readFromRoot } from "./support.ts";

interface Rule {
  readonly alert?: string;
  readonly expr: string;
}

const rules = (
  parse(readFromRoot("ops/prometheus/holdfast.rules.yml")) as { groups: { rules: Rule[] }[] }
).groups.flatMap((group) => group.rules);
const alerts = rules.flatMap(({ alert }) => alert ?? []);
const runbook = readFromRoot("ops/runbook.md");
/** The alerts that a test below makes fire. */
const fired = new Set<string>();

const skip = noPromtool;

/** Checks which alerts fire after some minutes of a recording. */
async function assertFiring(
  recording: Recording,
  expected: readonly (readonly [minute: number, alerts: readonly string[]])[],
): Promise<void> {
  await testRules(
    recording.inputSeries(),
    expected.map(([minute, names]) => ({
      expr: 'count by (alertname) (ALERTS{alertstate="firing"}) > bool 0',
      minute,
      samples: names.map((name) => ({ labels: `{alertname="${name}"}`, value: 1 })),
    })),
  );
  for (const [, names] of expected) for (const name of names) fired.add(name);
}

const nothing = async () => await Promise.resolve();

/** A guard with an authority, and users whose tokens it validates: 40 decisions before each scrape. */
async function watchGuard(t: TestContext, options: Parameters<Fixture["guard"]>[0] = {}) {
  const fixture = await makeAuthorityFixture(t);
  const { provider, clock } = fixture;
  const guard = fixture.guard(options);
  const tokens = Array.from({ length: 10 }, (_, i) => provider.token({ sub: `user-${i}` }));
  const traffic = async () => {
    for (let round = 0; round < 4; round++) for (const token of tokens) await guard.validate(token);
  };
  return { ...fixture, guard, traffic, recording: new Recording(clock, [guard]) };
}

test("no alert fires while everything works", { skip }, async (t) => {
  const { recording, traffic } = await watchGuard(t);
  await recording.run(60, traffic);
  await assertFiring(recording, [[59, []]]);
});

test("a process that does not answer its scrapes fires HoldfastDown", { skip }, async (t) => {
  const { recording, traffic } = await watchGuard(t);
  await recording.run(10, traffic);
  await recording.run(3, nothing, false);
  await assertFiring(recording, [
    [9, []],
    [12, ["HoldfastDown"]],
  ]);
});

test(
  "law 10: an authority that fails fires the alerts of degraded mode, and one more before it ends",
  { skip },
  async (t) => {
    const { recording, traffic, provider } = await watchGuard(t, {
      degraded: { mode: "local", maxMs: 3_600_000 },
    });
    await recording.run(10, traffic);
    provider.fault("introspection", { status: 500 });
    await recording.run(40, traffic);
    await assertFiring(recording, [
      [9, []],
      [15, ["HoldfastBreakerOpen", "HoldfastDegraded"]],
      [45, ["HoldfastBreakerOpen", "HoldfastDegraded", "HoldfastDegradedNearItsEnd"]],
    ]);
  },
);

test("an authority that fails without a degraded mode burns the budget of 503s", { skip }, async (t) => {
  const { recording, traffic, provider } = await watchGuard(t);
  await recording.run(60, traffic);
  provider.fault("introspection", { status: 500 });
  await recording.run(10, traffic);
  provider.restore();
  // The answers that were remembered at the beginning of the outage count for five minutes.
  await assertFiring(recording, [
    [59, []],
    [69, ["HoldfastBreakerOpen", "HoldfastUnavailableBurnFast"]],
  ]);
});

test(
  "an authority that refuses one token in two hundred for hours burns the budget slowly",
  { skip },
  async (t) => {
    const { recording, traffic, provider, guard, respondWith } = await watchGuard(t);
    await recording.run(30, traffic);
    respondWith((token) =>
      token === odd ? new Response("?", { status: 200 }) : { active: true, ...sub(token) },
    );
    const sub = (token: string) => JSON.parse(atob(token.split(".")[1] ?? "")) as object;
    const odd = provider.token({ sub: "odd" });
    const withOdd = async () => {
      await traffic();
      await guard.validate(odd);
    };
    await recording.run(90, withOdd);
    await assertFiring(recording, [
      [29, []],
      [119, ["HoldfastUnavailableBurnFast", "HoldfastUnavailableBurnSlow"]],
    ]);
  },
);

test("an authority that refuses the credentials of the guard fires at once", { skip }, async (t) => {
  const { recording, traffic, provider } = await watchGuard(t, { degraded: "local" });
  await recording.run(10, traffic);
  provider.fault("introspection", { status: 401 });
  await recording.run(8, traffic);
  await assertFiring(recording, [
    [9, []],
    [17, ["HoldfastAuthorityMisconfigured", "HoldfastBreakerOpen", "HoldfastDegraded"]],
  ]);
});

/** A guard that fetches its keys, without an authority. */
async function watchKeys(t: TestContext) {
  const { provider, clock } = await makeAuthorityFixture(t);
  const keys = jwks(provider.url("jwks"), { fetch: provider.fetch, maxStaleMs: 3_600_000 });
  const guard = createGuard({ issuer: provider.issuer, audience, keys, clock, random: () => 0.5 });
  t.after(async () => await guard.close());
  await guard.ready();
  const token = provider.token({ sub: "ada" });
  const traffic = async () => {
    for (let i = 0; i < 40; i++) await guard.validate(token);
  };
  return { provider, clock, guard, traffic, recording: new Recording(clock, [guard]) };
}

test("fault 26: a key set that cannot be replaced fires before it is too old", { skip }, async (t) => {
  const { provider, traffic, recording } = await watchKeys(t);
  await recording.run(10, traffic);
  provider.fault("jwks", { status: 503 });
  await recording.run(40, traffic);
  await assertFiring(recording, [
    [20, []],
    [49, ["HoldfastKeysStale", "HoldfastKeysUnreachable"]],
  ]);
});

test("fault 28: a key that leaves the set while it serves fires", { skip }, async (t) => {
  const { provider, traffic, recording } = await watchKeys(t);
  await recording.run(5, traffic);
  const old = provider.kid;
  await provider.rotate();
  provider.vanish(old);
  await recording.run(25, traffic);
  await assertFiring(recording, [
    [4, []],
    [29, ["HoldfastKeyVanished"]],
  ]);
});

test("a deploy with a wrong audience fires HoldfastInvalidSpike", { skip }, async (t) => {
  const { provider, traffic, recording, guard } = await watchKeys(t);
  await recording.run(60, traffic);
  const wrong = provider.token({ sub: "ada", aud: "https://other.example" });
  await recording.run(30, async () => {
    await traffic();
    for (let i = 0; i < 20; i++) await guard.validate(wrong);
  });
  await assertFiring(recording, [
    [59, []],
    [89, ["HoldfastInvalidSpike"]],
  ]);
});

test("a memory that holds too few tokens fires HoldfastHitRateLow", { skip }, async (t) => {
  const { provider, recording, guard } = await watchKeys(t);
  await recording.run(60, async () => {
    for (let i = 0; i < 20; i++)
      await guard.validate(provider.token({ sub: "ada", jti: `${Math.random()}` }));
  });
  await assertFiring(recording, [[59, ["HoldfastHitRateLow"]]]);
});

test("fault 7: a revocation feed that is cut fires, with the breakers closed", { skip }, async (t) => {
  const { guard: open, log, clock, mint } = await makeFixture();
  let isCut = false;
  const feed = {
    ...log,
    after: async (position: Parameters<typeof log.after>[0]) => {
      if (isCut) throw new Error("the feed is cut");
      return await log.after(position);
    },
  };
  const guard = open({ revocations: feed });
  t.after(async () => await guard.close());
  await guard.ready();
  const recording = new Recording(clock, [guard]);
  const traffic = async () => await guard.validate(mint.token());
  await recording.run(5, traffic);
  isCut = true;
  await recording.run(2, traffic);
  await assertFiring(recording, [
    [4, []],
    [6.5, ["HoldfastRevocationsStale"]],
  ]);
});

test("fault 34: a clock that jumps fires HoldfastClockStepped", { skip }, async (t) => {
  const { guard: open, clock, mint } = await makeFixture();
  const guard = open();
  t.after(async () => await guard.close());
  const recording = new Recording(clock, [guard]);
  const traffic = async () => await guard.validate(mint.token());
  await recording.run(5, traffic);
  clock.setWall(clock.now() + 600_000);
  await recording.run(3, traffic);
  await assertFiring(recording, [
    [4, []],
    [7, ["HoldfastClockStepped"]],
  ]);
});

/** An issuer whose store fails or waits as the test says, and clients that refresh every 15 seconds. */
async function watchIssuer(t: TestContext) {
  const clock = new FakeClock();
  const fault = { isFailing: false };
  const store = failStore(memoryStore({ clock }), (name) => fault.isFailing && name !== "prune" && "before");
  const { issuer } = createFixture({ clock, store, lostAnswerMs: 10_000, conflictMs: 1_000 });
  t.after(async () => await issuer.close());
  const clients = await Promise.all(
    ["ann", "bob"].map(async (name) => (await logIn(issuer, name)).refresh_token),
  );
  const traffic = async () => {
    for (const [i, token] of clients.entries()) {
      const outcome = await issuer.refresh(token);
      if (outcome.status !== "ok") continue;
      clients[i] = outcome.tokens.refresh_token;
    }
  };
  return { clock, store, fault, issuer, traffic, recording: new Recording(clock, [issuer]) };
}

/** An issuer whose store rotates as `wrap` says, and one client that refreshes. */
async function watchRotations(
  t: TestContext,
  wrap: (sessions: Store["sessions"], clock: FakeClock) => Store["sessions"]["rotate"],
) {
  const clock = new FakeClock();
  const memory = memoryStore({ clock });
  const sessions = { ...memory.sessions, rotate: wrap(memory.sessions, clock) };
  const { issuer } = createFixture({ clock, store: { ...memory, sessions } });
  t.after(async () => await issuer.close());
  let { refresh_token: token } = await logIn(issuer);
  const traffic = async () => {
    const outcome = await issuer.refresh(token);
    if (outcome.status === "ok") token = outcome.tokens.refresh_token;
  };
  return { traffic, recording: new Recording(clock, [issuer]) };
}

/** A moment of a recording, in minutes. */
const at = (minutes: number, seconds: number) => minutes + seconds / 60;

test("fault 42: a store that fails fires HoldfastStoreFailing within 45 seconds", { skip }, async (t) => {
  const { fault, traffic, recording } = await watchIssuer(t);
  await recording.run(5, traffic);
  fault.isFailing = true;
  await recording.run(3, traffic);
  // The store may have failed just after the scrape at 4:45.
  await assertFiring(recording, [
    [at(4, 45), []],
    [at(5, 15), []],
    [at(5, 30), ["HoldfastStoreFailing"]],
    [7, ["HoldfastStoreFailing"]],
  ]);
});

test("a store that fails for one scrape fires no alert", { skip }, async (t) => {
  const { fault, traffic, recording } = await watchIssuer(t);
  await recording.run(5, traffic);
  fault.isFailing = true;
  await recording.run(0.25, traffic);
  fault.isFailing = false;
  await recording.run(2, traffic);
  const moments = Array.from({ length: 20 }, (_, i) => at(5, 5 * i));
  await assertFiring(
    recording,
    moments.map((moment) => [moment, []] as const),
  );
});

test(
  "fault 65: a store that takes half a second for a command fires HoldfastStoreSlow",
  { skip },
  async (t) => {
    const slow = { isSlow: false };
    const { traffic, recording } = await watchRotations(t, (sessions, clock) => async (rotation) => {
      // The time that the command takes passes on the clock of the issuer.
      if (slow.isSlow) await clock.advance(500);
      return await sessions.rotate(rotation);
    });
    await recording.run(10, traffic);
    slow.isSlow = true;
    await recording.run(20, traffic);
    await assertFiring(recording, [
      [9, []],
      [29, ["HoldfastStoreSlow"]],
    ]);
  },
);

test(
  "fault 45: spent tokens that come back fire HoldfastRefreshReuse, and in masses HoldfastRefreshReuseFlood",
  { skip },
  async (t) => {
    const { traffic, recording, issuer } = await watchIssuer(t);
    await recording.run(10, traffic);
    const stolen = await Promise.all(
      Array.from({ length: 10 }, async () => {
        const { refresh_token: token } = await logIn(issuer);
        const outcome = await issuer.refresh(token);
        if (outcome.status === "ok") await issuer.acknowledge(outcome.tokens.refresh_token);
        return token;
      }),
    );
    await recording.run(1, traffic);
    await recording.run(12, async () => {
      await traffic();
      const token = stolen.pop();
      if (token !== undefined) await issuer.refresh(token);
    });
    await assertFiring(recording, [
      [9, []],
      [22, ["HoldfastRefreshReuse", "HoldfastRefreshReuseFlood"]],
    ]);
  },
);

test("fault 13: a record that is not authentic fires HoldfastRecordTampered", { skip }, async (t) => {
  const clock = new FakeClock();
  const store = memoryStore({ clock });
  const issuer = createIssuer({ url: ISSUER_URL, audience, store, secret: SECRET, clock });
  t.after(async () => await issuer.close());
  await issuer.users.add({ username: "ann", password: "a long password" });
  const recording = new Recording(clock, [issuer]);
  await recording.run(5, nothing);
  const user = await store.users.get("ann");
  assert.ok(user !== null);
  const replaced = await store.users.replace({ ...user, scopes: ["holdfast:admin"] }, user.mac);
  assert.equal(replaced, "replaced");
  await issuer.login({ username: "ann", password: "a long password" }, {});
  await recording.run(3, nothing);
  await assertFiring(recording, [
    [4, []],
    [7, ["HoldfastRecordTampered"]],
  ]);
});

test("fault 64: a store that went back fires HoldfastStoreRolledBack", { skip }, async (t) => {
  let isLost = false;
  const { traffic, recording } = await watchRotations(t, (sessions) => async (rotation) => {
    if (!isLost) return await sessions.rotate(rotation);
    // The store acknowledges a rotation that it then loses.
    const copy = await sessions.get(rotation.sessionId);
    assert.ok(copy !== null);
    return { outcome: "rotated", session: { ...copy, generation: copy.generation + 1 } };
  });
  await recording.run(5, traffic);
  isLost = true;
  await traffic();
  isLost = false;
  await recording.run(3, traffic);
  await assertFiring(recording, [
    [4, []],
    [7, ["HoldfastStoreRolledBack"]],
  ]);
});

test("fault 61: masses of wrong passwords fire HoldfastLoginAttack", { skip }, async (t) => {
  const { traffic, recording, issuer } = await watchIssuer(t);
  await recording.run(10, traffic);
  let attempts = 0;
  await recording.run(25, async () => {
    for (let i = 0; i < 30; i++) {
      const source = `203.0.113.${attempts % 250}`;
      await issuer.login({ username: `user-${attempts++}`, password: "wrong" }, { source });
    }
  });
  await assertFiring(recording, [
    [9, []],
    [34, ["HoldfastLoginAttack"]],
  ]);
});

test("connections near their limit fire HoldfastConnectionsNearLimit", { skip }, async (t) => {
  const { guard: open, clock, mint } = await makeFixture();
  const guard = open();
  t.after(async () => await guard.close());
  const connections = createTestConnections(t, guard, clock, { max: 20 });
  const recording = new Recording(clock, [connections]);
  const token = mint.token({ exp: clock.now() / 1_000 + 86_400 });
  for (let i = 0; i < 10; i++) await openConnection(connections, token);
  await recording.run(10, nothing);
  for (let i = 0; i < 9; i++) await openConnection(connections, token);
  await recording.run(10, nothing);
  await assertFiring(recording, [
    [9, []],
    [19, ["HoldfastConnectionsNearLimit"]],
  ]);
});

test(
  "logins that are answered with 503 fire HoldfastRequestsFailing, and probes do not",
  { skip },
  async () => {
    const metrics = new RequestMetrics();
    const recording = new Recording(new FakeClock(), [metrics]);
    const answer = (status: number) => async () => {
      const request = { method: "POST" } as IncomingMessage;
      for (let i = 0; i < 10; i++)
        metrics.record({ request, route: "/auth/login", status: i === 0 ? status : 200, durationMs: 5 });
      for (const route of ["/health/ready", "/verify/*"])
        metrics.record({ request, route, status: 503, durationMs: 5 });
      await Promise.resolve();
    };
    await recording.run(10, answer(200));
    await recording.run(12, answer(503));
    await assertFiring(recording, [
      [9, []],
      [21, ["HoldfastRequestsFailing"]],
    ]);
  },
);

test("a back-up that is three days old fires HoldfastBackupOld", { skip }, async () => {
  const clock = new FakeClock(0);
  // Prometheus evaluates the recording from the epoch on, and a back-up three days earlier lies before it.
  const recording = new Recording(clock, [{ metrics: () => backupMetrics(-3 * 86_400_000) }]);
  const recent = new Recording(clock, [{ metrics: () => backupMetrics(0) }]);
  await recording.run(5, nothing);
  await recent.run(5, nothing);
  await assertFiring(recording, [[4, ["HoldfastBackupOld"]]]);
  await assertFiring(recent, [[4, []]]);
});

test("a test above makes every alert fire", { skip }, () => {
  assert.deepEqual([...fired].toSorted(), alerts.toSorted());
});

test("every alert has its heading in ops/runbook.md, and every heading its alert", () => {
  const headings = [...runbook.matchAll(/^## (Holdfast\w+)$/gm)].map(([, name = ""]) => name);
  assert.deepEqual(headings.toSorted(), alerts.toSorted());
});

test("every metric in a rule exists", () => {
  const names = new Set(
    [...readFromRoot("docs/run/metrics.md").matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name),
  );
  for (const { expr } of rules) {
    for (const [metric] of expr.matchAll(/\b(?:holdfast|http_server)_\w+/g)) {
      assert.ok(names.has(metric.replace(/_(bucket|sum|count)$/, "")), metric);
    }
  }
});

test("ops/runbook.md names for every fault the alert that fires, or why none does", () => {
  const listed = [...runbook.matchAll(/^\| (\d+) \| (.+) \|$/gm)].map(([, number = "", alert = ""]) => ({
    number,
    alert,
  }));
  const faults = [...readFromRoot("docs/outages/faults.md").matchAll(/^\| (\d+) \|/gm)].map(
    ([, number = ""]) => number,
  );
  assert.deepEqual(listed.map(({ number }) => number).toSorted(), faults.toSorted());
  for (const { number, alert } of listed) {
    const named = [...alert.matchAll(/\[(Holdfast\w+)\]\(#(\w+)\)/g)];
    for (const [, name = "", anchor] of named) {
      assert.ok(alerts.includes(name), `fault ${number}: ${name}`);
      assert.equal(anchor, name.toLowerCase());
    }
    assert.ok(named.length > 0 || /^none: .+/.test(alert), `fault ${number}`);
  }
});
