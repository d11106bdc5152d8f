import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { test, type TestContext } from "node:test";
import { issuerEvents } from "../../../src/core/event-channels.ts";
import type { IssuerEvent } from "../../../src/core/events.ts";
import { ProxyMonitor } from "../../../src/server/health/proxy-monitor.ts";
import type { ServiceHealth } from "../../../src/server/health/service-health.ts";
import { createLogger } from "../../../src/server/logs.ts";
import { startService } from "../../../src/server/serve.ts";
import { systemPlatform } from "../../../src/server/platform.ts";
import { FakeClock } from "../../../src/testing/index.ts";
import { temporarySettings } from "../temporary-settings.ts";

function watchMessages(t: TestContext): string[] {
  const seen: string[] = [];
  const listen = (event: unknown) => {
    const { event: name, message } = event as IssuerEvent;
    if (name === "proxy_not_trusted") seen.push(message);
  };
  issuerEvents.subscribe(listen);
  t.after(() => issuerEvents.unsubscribe(listen));
  return seen;
}

test("a proxy that is not trusted is reported at most once a minute", async (t) => {
  const clock = new FakeClock();
  const seen = watchMessages(t);
  const monitor = new ProxyMonitor("own", clock);
  for (let i = 0; i < 3; i++) monitor.record("10.0.0.7", false);
  await clock.advance(59_999);
  monitor.record("10.0.0.7", false);
  assert.deepEqual(seen, [
    "10.0.0.7 asks /verify and is not in HOLDFAST_TRUSTED_PROXIES: it gets 403 for every request",
  ]);
  await clock.advance(1);
  monitor.record("10.0.0.7", false);
  assert.equal(seen.length, 2);
});

test("the gateway is degraded while it refuses its proxy, and no other one is trusted", async () => {
  const clock = new FakeClock();
  const monitor = new ProxyMonitor("own", clock);
  const outcomes = () => monitor.finding(true).outcomes;
  assert.deepEqual(outcomes(), {});
  monitor.record("10.0.0.7", false);
  assert.deepEqual(outcomes(), { ownTokens: "degraded", providerTokens: "degraded" });
  assert.deepEqual(monitor.finding(false).outcomes, { ownTokens: "degraded" });
  monitor.record("10.0.0.8", true);
  assert.deepEqual(outcomes(), {});
  await clock.advance(59_000);
  monitor.record("10.0.0.7", false);
  assert.deepEqual(outcomes(), {});
  await clock.advance(1_000);
  assert.deepEqual(outcomes(), { ownTokens: "degraded", providerTokens: "degraded" });
  await clock.advance(59_000);
  assert.deepEqual(outcomes(), {});
});

test("a stranger of the internet who asks /verify is no proxy", (t) => {
  const seen = watchMessages(t);
  const monitor = new ProxyMonitor("own", new FakeClock());
  monitor.record("203.0.113.9", false);
  monitor.record(undefined, false);
  assert.equal(monitor.finding(true).status, "ok");
  assert.deepEqual(seen, []);
});

test("a service says why everything through its proxy is 403, and stays in use", async (t) => {
  const seen = watchMessages(t);
  const settings = await temporarySettings();
  const policyFile = `${settings.dataDir}.policy`;
  await writeFile(policyFile, '{ "rules": [{ "path": "/orders/*" }] }');
  const clock = new FakeClock(Date.now());
  const platform = { ...systemPlatform, clock };
  const service = await startService(
    { ...settings, policyFile },
    createLogger("silent"),
    undefined,
    platform,
  );
  t.after(service.stop);
  const health = async () => (await (await fetch(`${service.adminAddress}/health`)).json()) as ServiceHealth;
  assert.equal((await health()).components.gateway?.status, "ok");
  assert.equal((await fetch(`${service.publicAddress}/verify/envoy/orders/7`)).status, 403);
  const { status, headline, outcomes, components } = await health();
  assert.equal(status, "degraded");
  assert.equal(
    headline.text,
    "The gateway has refused its proxy: every request through this proxy answers 403",
  );
  assert.match(headline.advice ?? "", /127\.0\.0\.1 asks \/verify and is not in HOLDFAST_TRUSTED_PROXIES/);
  assert.equal(headline.runbook, "ProxyNotTrusted");
  assert.deepEqual(outcomes.ownTokens, { status: "degraded", because: ["gateway"] });
  assert.equal(components.gateway?.reason, "proxy_not_trusted");
  assert.equal(seen.length, 1);
  assert.equal((await fetch(`${service.publicAddress}/health/ready`)).status, 200);
});
