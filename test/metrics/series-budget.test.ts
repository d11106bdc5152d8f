import assert from "node:assert/strict";
import type { IncomingMessage } from "node:http";
import { test } from "node:test";
import { Registry } from "prom-client";
import type { MetricFamily } from "../../src/core/metrics.ts";
import { createConnections } from "../../src/connections/index.ts";
import { createGuard, introspection, jwks, type TrustedIssuer } from "../../src/index.ts";
import { collect } from "../../src/metrics/collect.ts";
import { registerMetrics } from "../../src/metrics/prometheus.ts";
import { RequestMetrics } from "../../src/server/http/request-metrics.ts";
import { createProvider, FakeClock, seededRandom, type Provider } from "../../src/testing/index.ts";
import { createFixture } from "../issuer/fixture.ts";

const audience = "https://api.example";
/** A histogram is one series here, as in OpenTelemetry. */
const MAX_SERIES = 400;
const ATTEMPTS = 10_000;

function trust(provider: Provider): TrustedIssuer {
  const { fetch, clientId, clientSecret, issuer } = provider;
  const url = provider.url("introspection");
  return {
    issuer,
    audience,
    keys: jwks(provider.url("jwks"), { fetch }),
    authority: introspection({ url, clientId, clientSecret, fetch }),
  };
}

const countSeries = (families: Iterable<MetricFamily>): number =>
  [...families].reduce((sum, { samples }) => sum + samples.length, 0);

test("law 6: strangers cannot make more than 400 series in a process with three issuers", async (t) => {
  const clock = new FakeClock();
  const names = ["one", "two", "three"];
  const providers = await Promise.all(
    names.map(async (name) => await createProvider({ issuer: `https://${name}.example`, audience, clock })),
  );
  const guard = createGuard({
    issuers: providers.map(trust),
    clock,
    random: seededRandom(1),
    warnings: false,
  });
  const connections = createConnections({ guard, clock });
  const { issuer } = createFixture({ clock });
  const requests = new RequestMetrics();
  t.after(async () => await Promise.all([connections.close(), guard.close(), issuer.close()]));
  const sources = [guard, issuer, connections, requests];
  await guard.ready();
  const [one] = providers as [Provider];
  const statuses = [200, 400, 401, 403, 404, 405, 413, 415, 429, 500, 503];
  for (let i = 0; i < ATTEMPTS; i++) {
    // A forged signature is found before any other claim is, and costs no key fetch.
    const [header = "", payload = ""] = one.token({ iss: `https://unknown${i}.example` }).split(".");
    await guard.validate(`${header}.${payload}.${"A".repeat(86)}`);
    const request = { method: `METHOD${i}` } as IncomingMessage;
    const status = statuses[i % statuses.length] ?? 200;
    requests.record({ request, route: i % 2 ? null : `/route/${i % 25}`, status, durationMs: 1 });
    if (i % 100 > 0) continue;
    await issuer.login({ username: `user ${i}`, password: "wrong" }, { source: `203.0.113.${i / 100}` });
    await issuer.refresh(`token ${i}`);
  }
  const kids = Array.from({ length: ATTEMPTS }, (_, i) => one.token({}, { kid: `kid ${i}` }));
  const verdicts = Promise.all(kids.map(async (token) => (await guard.validate(token)).status));
  await clock.advance(60_000);
  assert.ok((await verdicts).every((status) => status !== "valid"));
  await guard.validate(one.token({ sub: "ada" }));
  const series = countSeries(collect(sources).values());
  assert.ok(series <= MAX_SERIES, `${series} series`);
  t.diagnostic(`${series} series`);

  const registry = new Registry();
  registerMetrics(registry, { guards: sources });
  const text = await registry.metrics();
  for (const made of ["unknown1", "kid 1", "METHOD1", "user 1"]) assert.ok(!text.includes(made));
  t.diagnostic(`${text.split("\n").filter((line) => /^\w/.test(line)).length} lines of Prometheus`);
});
