import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { test, type TestContext } from "node:test";
import { join } from "node:path";
import { HoldfastError } from "../../src/core/errors.ts";
import { createIssuer } from "../../src/issuer/create-issuer.ts";
import { HealthMonitor } from "../../src/server/health/health-monitor.ts";
import { readFailureReason } from "../../src/server/health/failure-reason.ts";
import { publicApp } from "../../src/server/http/public-app.ts";
import { openLocalStore } from "../../src/server/store/local-store.ts";
import { composeService, type Service } from "../../src/server/service.ts";
import type { Role } from "../../src/server/setting-definitions.ts";
import type { Store } from "../../src/stores/store.ts";
import { FakeClock } from "../../src/testing/index.ts";
import { BlockList } from "node:net";
import { temporarySettings } from "./temporary-settings.ts";

const both = new Set<Role>(["issuer", "gateway"]);

async function service(t: TestContext): Promise<{ parts: Service; file: string; secret: string }> {
  const settings = await temporarySettings();
  const local = await openLocalStore(settings.dataDir, { create: true, secret: undefined });
  const parts = await composeService(local, settings, {
    url: "https://id.example",
    audience: "https://api.example",
  });
  t.after(parts.close);
  return { parts, file: join(settings.dataDir, "holdfast.db"), secret: local.secret };
}

/** The store, whose markers fail with the error that `failure` returns. */
function withFailingWrites(store: Store, failure: () => Error | null): Store {
  const fail = async <T>(work: () => Promise<T>): Promise<T> => {
    const error = failure();
    if (error !== null) throw error;
    return await work();
  };
  const { markers } = store;
  return {
    ...store,
    now: async () => await store.now(),
    markers: {
      read: async (name) => await markers.read(name),
      claim: async (name, value) => await fail(async () => await markers.claim(name, value)),
      replace: async (name, from, to) => await fail(async () => await markers.replace(name, from, to)),
    },
  };
}

async function readiness(
  parts: Service,
  monitor: HealthMonitor,
  query = "",
): Promise<{ code: number; status: string }> {
  const app = publicApp(parts, monitor, { trustedProxies: new BlockList(), roles: both });
  const response = await app.request(`/health/ready${query}`);
  return { code: response.status, status: ((await response.json()) as { status: string }).status };
}

const failures: [message: string, reason: string][] = [
  ["sqlite /OOM/READONLY.db cannot be used: SQLITE_FULL, database or disk is full", "SQLITE_FULL"],
  ["sqlite /OOM/READONLY.db cannot be used: ENOSPC", "ENOSPC"],
  [
    "sqlite /OOM/READONLY.db: OOM command not allowed when used memory > 'maxmemory'. script: f1, on @user_script:1.",
    "OOM",
  ],
  ["sqlite /OOM/READONLY.db: READONLY You can't write against a read only replica.", "READONLY"],
  ["sqlite /OOM/READONLY.db: NOREPLICAS Not enough good replicas to write.", "NOREPLICAS"],
  ["sqlite /OOM/READONLY.db: the write reached 0 of 1 replicas", "NOREPLICAS"],
  ["sqlite /OOM/READONLY.db: MISCONF Errors writing to the AOF file: No space left on device", "MISCONF"],
  ["sqlite /OOM/READONLY.db: not connected: WRONGPASS invalid username-password pair", "WRONGPASS"],
  ["sqlite /OOM/READONLY.db: connect ECONNREFUSED 127.0.0.1:6379", "ECONNREFUSED"],
  ["sqlite /OOM/READONLY.db did not answer", "store_unavailable"],
];
for (const [message, reason] of failures) {
  test(`fault 70: health names ${reason} as the reason of: ${message.slice(24)}`, () => {
    const error = new HoldfastError("store_unavailable", message);
    assert.equal(readFailureReason(error, "sqlite /OOM/READONLY.db"), reason);
  });
}

test("fault 70: a store that refuses writes makes logins unavailable, and the process stays ready for its guard", async (t) => {
  const { parts } = await service(t);
  let failure: Error | null = new HoldfastError("store_unavailable", "SQLITE_FULL, database or disk is full");
  const clock = new FakeClock();
  const ailing = { ...parts, store: withFailingWrites(parts.store, () => failure) };
  const monitor = new HealthMonitor(ailing, both, clock);
  const health = await monitor.check();
  const { store } = health.components;
  assert.equal(health.status, "degraded");
  assert.deepEqual([store.status, store.reason, store.lastOkAt], ["unavailable", "SQLITE_FULL", null]);
  assert.equal(
    store.effect,
    "Logins, refreshes and requests to revoke answer 503, tokens are still accepted.",
  );
  assert.deepEqual(health.outcomes, {
    login: { status: "unavailable", because: ["store"] },
    refresh: { status: "unavailable", because: ["store"] },
    ownTokens: { status: "ok", because: [] },
  });
  assert.deepEqual(await readiness(ailing, monitor), { code: 200, status: "degraded" });
  assert.deepEqual(await readiness(ailing, monitor, "?role=gateway"), { code: 200, status: "ok" });
  assert.deepEqual(await readiness(ailing, monitor, "?role=issuer"), { code: 503, status: "unavailable" });
  assert.equal((await readiness(ailing, monitor, "?role=admin")).code, 400);
  // The failure stands until a write succeeds, although reads do.
  failure = null;
  assert.equal((await monitor.check()).components.store.reason, "SQLITE_FULL");
  await clock.advance(1000);
  const repaired = await monitor.check();
  assert.equal(repaired.status, "ok");
  assert.equal(repaired.components.store.lastOkAt, clock.now());
});

test("a process with the role of the issuer alone is not ready while the store refuses writes", async (t) => {
  const { parts } = await service(t);
  const failure = new HoldfastError("store_unavailable", "OOM command not allowed");
  const ailing = { ...parts, store: withFailingWrites(parts.store, () => failure) };
  const issuer = new HealthMonitor(ailing, new Set<Role>(["issuer"]), new FakeClock());
  assert.deepEqual(await readiness(ailing, issuer), { code: 503, status: "unavailable" });
  assert.deepEqual(await readiness(ailing, issuer, "?role=gateway"), { code: 503, status: "unavailable" });
  const gateway = new HealthMonitor(ailing, new Set<Role>(["gateway"]), new FakeClock());
  assert.deepEqual(await readiness(ailing, gateway), { code: 200, status: "ok" });
});

test("a process that is older than its store leaves its place to a newer one", async (t) => {
  const { parts } = await service(t);
  const failure = new HoldfastError("store_newer", "the store has the schema 9, and this version knows 8");
  const ailing = { ...parts, store: withFailingWrites(parts.store, () => failure) };
  const monitor = new HealthMonitor(ailing, both, new FakeClock());
  assert.deepEqual(await readiness(ailing, monitor), { code: 503, status: "unavailable" });
});

test("fault 70: a file that another process locks makes logins unavailable with SQLITE_BUSY, until it is unlocked", async (t) => {
  const { parts, file } = await service(t);
  const monitor = new HealthMonitor(parts, both);
  const other = new DatabaseSync(file);
  t.after(() => other.close());
  other.exec("BEGIN IMMEDIATE");
  let health = await monitor.check();
  while (health.status === "ok") health = await monitor.check();
  assert.match(health.components.store.reason ?? "", /^(slow|timeout|SQLITE_BUSY)$/);
  assert.notEqual(health.outcomes.login.status, "ok");
  while (health.components.store.reason !== "SQLITE_BUSY") health = await monitor.check();
  assert.equal(health.outcomes.login.status, "unavailable");
  assert.equal(health.outcomes.ownTokens.status, "ok");
  other.exec("ROLLBACK");
  while (health.status !== "ok") health = await monitor.check();
});

test("a failed write of a user counts in health, although the probe succeeds", async (t) => {
  const { parts } = await service(t);
  const clock = new FakeClock();
  const status = parts.issuer.status();
  let writeFailure = {
    code: "store_unavailable" as const,
    message: "SQLITE_FULL, database or disk is full",
    at: clock.now(),
  };
  const issuer = {
    ...parts.issuer,
    status: () => ({ ...status, store: { ...status.store, writeFailure } }),
  };
  const monitor = new HealthMonitor({ ...parts, issuer }, both, clock);
  const { components, outcomes } = await monitor.check();
  assert.deepEqual([components.store.status, components.store.reason], ["degraded", "SQLITE_FULL"]);
  assert.equal(outcomes.login.status, "degraded");
  await clock.advance(3000);
  assert.equal((await monitor.check()).components.store.status, "ok");
  writeFailure = { ...writeFailure, at: clock.now() };
  assert.equal((await monitor.check()).components.store.status, "degraded");
});

test("a secret that the process lacks is a problem of the store, with what to do", async (t) => {
  const { parts, secret } = await service(t);
  const { url, store } = parts;
  const secrets = `${"another secret ".repeat(3)},${secret}`;
  const other = createIssuer({ url, audience: url, store, secret: secrets });
  await other.ready();
  await other.close();
  const { status } = await parts.issuer.refresh(`hfr_${"A".repeat(112)}`);
  assert.equal(status, "unavailable");
  const { components, outcomes } = await new HealthMonitor(parts, both).check();
  assert.deepEqual([components.store.status, components.store.reason], ["degraded", "store_mismatch"]);
  assert.match(components.store.detail, /restart this one with the new secret/);
  assert.equal(outcomes.refresh.status, "degraded");
});

test("fault 84: a clock that differs from that of the store is a problem of the clock", async (t) => {
  const { parts } = await service(t);
  const status = parts.issuer.status();
  const store = { ...status.store, description: "redis", clockDifferenceMs: -3_600_000 };
  const issuer = { ...parts.issuer, status: () => ({ ...status, store }) };
  const { components, outcomes, status: whole } = await new HealthMonitor({ ...parts, issuer }, both).check();
  assert.deepEqual([components.clock.status, components.clock.reason], ["degraded", "clock_differs"]);
  assert.equal(
    components.clock.detail,
    "the clock of this machine is 3600 s behind that of the store (redis)",
  );
  assert.deepEqual([outcomes.ownTokens.status, whole], ["degraded", "degraded"]);
});

test("logins that answer 503 or mostly 429 degrade health for three seconds, whatever the components say", async (t) => {
  const { parts } = await service(t);
  const clock = new FakeClock();
  const monitor = new HealthMonitor(parts, both, clock);
  monitor.recordAnswer("login", 503);
  assert.deepEqual((await monitor.check()).outcomes.login, { status: "degraded", because: ["answers"] });
  await clock.advance(4000);
  assert.equal((await monitor.check()).status, "ok");
  for (let i = 0; i < 4; i++) monitor.recordAnswer("login", 429, `203.0.113.${i}`);
  assert.equal((await monitor.check()).status, "ok");
  monitor.recordAnswer("login", 429, "203.0.113.4");
  assert.equal((await monitor.check()).status, "degraded");
});

test("one source that gets 429, and one failure among many answers, do not degrade health", async (t) => {
  const { parts } = await service(t);
  const clock = new FakeClock();
  const monitor = new HealthMonitor(parts, both, clock);
  for (let i = 0; i < 50; i++) monitor.recordAnswer("login", 429, `2001:db8::${i}`);
  assert.equal((await monitor.check()).status, "ok");
  for (let i = 0; i < 20; i++) monitor.recordAnswer("refresh", 200, `203.0.113.${i}`);
  monitor.recordAnswer("refresh", 503, "203.0.113.30");
  assert.equal((await monitor.check()).outcomes.refresh.status, "ok");
  for (let i = 0; i < 2; i++) monitor.recordAnswer("refresh", 503, "203.0.113.31");
  assert.equal((await monitor.check()).outcomes.refresh.status, "degraded");
});

test("a client that hangs up during a login does not degrade health", async (t) => {
  const { parts } = await service(t);
  const monitor = new HealthMonitor(parts, both, new FakeClock());
  const app = publicApp(parts, monitor, { trustedProxies: new BlockList(), roles: both });
  const client = new AbortController();
  const request = new Request("https://id.example/auth/login", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ username: "nobody", password: "wrong wrong" }),
    signal: client.signal,
  });
  const answer = app.fetch(request, { incoming: { socket: { remoteAddress: "203.0.113.1" } } });
  client.abort();
  assert.equal((await answer).status, 503);
  assert.deepEqual((await monitor.check()).outcomes.login, { status: "ok", because: [] });
});

test("law 10: the first health after a quiet time is degraded while the store does not answer", async (t) => {
  const { parts } = await service(t);
  let isSilent = false;
  const store: Store = {
    ...parts.store,
    markers: {
      ...parts.store.markers,
      read: async (name) => await (isSilent ? new Promise<never>(() => {}) : parts.store.markers.read(name)),
      claim: async (name, value) => await parts.store.markers.claim(name, value),
      replace: async (name, from, to) => await parts.store.markers.replace(name, from, to),
    },
  };
  const clock = new FakeClock();
  const monitor = new HealthMonitor({ ...parts, store }, both, clock);
  const afterQuietTime = async (ms: number) => {
    await clock.advance(ms);
    const health = monitor.check();
    if (isSilent) await clock.advance(400);
    const { outcomes, components } = await health;
    return [outcomes.refresh.status, components.store.reason];
  };
  assert.deepEqual(await afterQuietTime(0), ["ok", null]);
  isSilent = true;
  assert.deepEqual(await afterQuietTime(2_000), ["ok", null], "a write succeeded two seconds ago");
  // The silent probe ends at its deadline.
  await clock.advance(10_000);
  isSilent = false;
  assert.deepEqual(await afterQuietTime(1_000), ["ok", null]);
  isSilent = true;
  assert.deepEqual(await afterQuietTime(9_000), ["degraded", "slow"]);
});

test("health is asked a thousand times and writes once a second", async (t) => {
  const { parts } = await service(t);
  let writes = 0;
  const store = withFailingWrites(parts.store, () => {
    writes++;
    return null;
  });
  const clock = new FakeClock();
  const monitor = new HealthMonitor({ ...parts, store }, both, clock);
  for (let i = 0; i < 100; i++)
    await Promise.all(Array.from({ length: 10 }, async () => await monitor.check()));
  assert.equal(writes, 1);
  await clock.advance(1000);
  await monitor.check();
  assert.equal(writes, 2);
});

test("fault 34: a clock that was set degrades the tokens of users in health, and stays ready", async (t) => {
  const { parts } = await service(t);
  const guard = { ...parts.guard, status: () => ({ ...parts.guard.status(), clockSteppedMs: -3_600_000 }) };
  const stepped = { ...parts, guard };
  const monitor = new HealthMonitor(stepped, both, new FakeClock());
  const { components, outcomes } = await monitor.check();
  assert.deepEqual([components.clock.status, components.clock.reason], ["degraded", "clock_stepped"]);
  assert.equal(components.clock.detail, "the wall clock was set back by 3600 s");
  assert.deepEqual(outcomes.ownTokens, { status: "degraded", because: ["clock"] });
  assert.deepEqual(await readiness(stepped, monitor), { code: 200, status: "degraded" });
});
