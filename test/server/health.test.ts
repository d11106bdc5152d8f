import assert from "node:assert/strict";
import { BlockList } from "node:net";
import type { Hono } from "hono";
import { pino, type Logger } from "pino";
import { test, type TestContext } from "node:test";
import { createLogger } from "../../src/server/logs.ts";
import type { RevocationAgeBounds } from "../../src/gateway/policy.ts";
import { adminApp } from "../../src/server/http/admin-app.ts";
import { adminPage } from "../../src/server/http/admin-page.ts";
import { HealthMonitor } from "../../src/server/health/health-monitor.ts";
import type { ServiceHealth } from "../../src/server/health/service-health.ts";
import { publicApp } from "../../src/server/http/public-app.ts";
import { openLocalStore } from "../../src/server/store/local-store.ts";
import { composeService, type Service } from "../../src/server/service.ts";
import { FakeClock } from "../../src/testing/index.ts";
import { testDashboard } from "./dashboard/composed-service.ts";
import { temporarySettings } from "./temporary-settings.ts";

const context = {
  port: 4181,
  isExposed: false,
  token: null,
  nonce: "n".repeat(43),
  log: createLogger("silent"),
};

async function service(t: TestContext): Promise<Service> {
  const settings = await temporarySettings();
  const local = await openLocalStore(settings.dataDir, { create: true, secret: undefined });
  const composed = await composeService(local, settings, {
    url: "https://id.example",
    audience: "https://api.example",
  });
  t.after(composed.close);
  return composed;
}

function testAdminApp(
  t: TestContext,
  parts: Service,
  monitor: HealthMonitor,
  log: Logger = context.log,
): Hono {
  return adminApp(parts, monitor, { ...context, log, dashboard: testDashboard(t, parts, monitor) });
}

const bothRoles = new Set(["issuer", "gateway"] as const);

async function checkServiceHealth(parts: Service): Promise<ServiceHealth> {
  return await new HealthMonitor(parts, bothRoles, new FakeClock()).check();
}

function states(health: ServiceHealth): Record<string, string> {
  return Object.fromEntries(Object.entries(health.components).map(([name, { status }]) => [name, status]));
}

test("health is ok only after the guard refused a forged token by its signature", async (t) => {
  const { guard, ...rest } = await service(t);
  const health = await checkServiceHealth({ ...rest, guard });
  assert.equal(health.status, "ok");
  const lax = { ...guard, validate: async () => await Promise.resolve({ status: "valid" }) };
  const alarmed = await checkServiceHealth({ ...rest, guard: lax as unknown as typeof guard });
  assert.equal(alarmed.status, "unavailable");
  assert.match(alarmed.components.guard.detail, /answered a forgery with valid/);
});

test("health names the failing component: a closed guard, an unreadable store", async (t) => {
  const parts = await service(t);
  await parts.guard.close();
  const guardless = await checkServiceHealth(parts);
  assert.equal(guardless.status, "unavailable");
  assert.equal(states(guardless)["guard"], "unavailable");
  assert.equal(states(guardless)["store"], "ok");
  await parts.store.close();
  assert.equal(states(await checkServiceHealth(parts))["store"], "unavailable");
});

test("law 4: a failed read of the revocation log is degraded and ready, and a view that is too old is unavailable", async (t) => {
  const { guard, ...rest } = await service(t);
  const ready = async (state: "degraded" | "unavailable") => {
    const healthy = guard.status();
    const [own] = healthy.issuers;
    const revocations = { ...own?.revocations, complete: false, ageMs: 3000, lastError: "BUSY" };
    const issuers = [{ ...own, state, revocations }];
    const ailing = { ...guard, status: () => ({ ...healthy, state, issuers }) } as typeof guard;
    const parts = { ...rest, guard: ailing };
    const monitor = new HealthMonitor(parts, bothRoles, new FakeClock());
    const app = publicApp(parts, monitor, { trustedProxies: new BlockList(), roles: bothRoles });
    const response = await app.request("/health/ready");
    const page = await (
      await testAdminApp(t, parts, monitor).request("/?plain", { headers: { host: "localhost:4181" } })
    ).text();
    const { status } = (await response.json()) as { status: string };
    return { code: response.status, status, retryAfter: response.headers.get("Retry-After"), page };
  };
  const { page: works, ...degraded } = await ready("degraded");
  assert.deepEqual(degraded, { code: 200, status: "degraded", retryAfter: null });
  assert.match(
    works,
    /<h1 class="degraded">New revocations have not arrived for 3 s: tokens are accepted for 57 s more<\/h1>/,
  );
  assert.match(works, /BUSY/);
  const { page: fails, ...unavailable } = await ready("unavailable");
  assert.deepEqual(unavailable, { code: 503, status: "unavailable", retryAfter: "1" });
  assert.match(
    fails,
    /<h1 class="unavailable">New revocations have not arrived for 3 s: tokens of this service answer 503<\/h1>/,
  );
});

test("law 10: health says that a view is too old for some routes of the policy, or for all of them", async (t) => {
  const { guard, ...rest } = await service(t);
  const check = async (ageMs: number, complete: boolean, bounds: RevocationAgeBounds) => {
    const healthy = guard.status();
    const [own] = healthy.issuers;
    const revocations = { ...own?.revocations, complete, ageMs, lastError: complete ? null : "BUSY" };
    const state = complete ? "ready" : "degraded";
    const status = () => ({ ...healthy, state, issuers: [{ ...own, state, revocations }] });
    const parts = { ...rest, guard: { ...guard, status } as typeof guard };
    const health = await new HealthMonitor(parts, bothRoles, new FakeClock(), bounds).check();
    return [health.components.revocations.reason, health.outcomes.ownTokens.status];
  };
  const some = { narrowestMs: 1000, widestMs: Infinity };
  const all = { narrowestMs: 1000, widestMs: 5000 };
  assert.deepEqual(await check(1000, true, some), [null, "ok"]);
  assert.deepEqual(await check(1000, false, some), ["revocations_failed", "ok"]);
  // A read that hangs has not failed yet, and the routes refuse tokens already.
  assert.deepEqual(await check(1001, true, some), ["revocations_stale", "degraded"]);
  assert.deepEqual(await check(5001, false, some), ["revocations_stale", "degraded"]);
  assert.deepEqual(await check(5000, false, all), ["revocations_stale", "degraded"]);
  assert.deepEqual(await check(5001, false, all), ["revocations_stale", "unavailable"]);
  assert.deepEqual(await check(5000.4, false, all), ["revocations_stale", "unavailable"]);
});

test("the status page escapes every value", async (t) => {
  const parts = await service(t);
  const text = "<script>alert(1)</script>";
  const page = await adminPage({
    service: parts,
    health: await checkServiceHealth(parts),
    users: "7",
    events: [{ at: 0, kind: "login", subject: text, session: null, source: '"&', actor: null, detail: null }],
    now: Date.now(),
    upMs: 90_000,
    rssBytes: 1_048_576,
  });
  assert.ok(!page.includes("<script>"));
  assert.ok(page.includes("&lt;script&gt;alert(1)&lt;/script&gt;"));
  assert.ok(page.includes("1970-01-01 00:00:00 UTC"));
  assert.ok(page.includes("signs") && page.includes("published, signs next"));
});

test("law 4: the status page loads while the store is down, and states the effect", async (t) => {
  const parts = await service(t);
  const headers = { host: "localhost:4181" };
  const monitor = new HealthMonitor(parts, bothRoles, new FakeClock());
  const ask = async () => await testAdminApp(t, parts, monitor).request("/?plain", { headers });
  assert.match(await (await ask()).text(), /<h1 class="ok">Everything works<\/h1>/);
  await parts.store.close();
  const response = await ask();
  assert.equal(response.status, 200);
  const page = await response.text();
  assert.match(
    page,
    /<h1 class="unavailable">The store sqlite .* has been closed: logins, refreshes and requests to revoke answer 503/,
  );
  assert.match(page, /Logins, refreshes and requests to revoke answer 503/);
  assert.match(page, /Unknown: the store cannot be read/);
  // The page with scripts shows the same advice and the same section of the runbook.
  const { advice } = (await monitor.check()).headline;
  assert.match(advice ?? "", /^Restart this process/);
  assert.ok(page.includes(`<p>${advice ?? ""}</p>`), page);
  assert.match(page, /section <code>HoldfastStoreFailing<\/code> of the runbook/);
});

test("the admin listener answers an unexpected error with JSON, and logs its place", async (t) => {
  const parts = await service(t);
  const lines: string[] = [];
  const log = pino({ base: null }, { write: (line: string) => void lines.push(line) });
  const app = testAdminApp(t, parts, new HealthMonitor(parts, bothRoles, new FakeClock()), log);
  app.get("/broken", () => {
    throw new RangeError("a secret of the request");
  });
  const response = await app.request("/broken", { headers: { host: "localhost:4181" } });
  assert.equal(response.status, 500);
  const body = { error: "server_error", error_description: "Something went wrong." };
  assert.deepEqual(await response.json(), body);
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? "", /could not answer GET \/broken: RangeError"/);
});
