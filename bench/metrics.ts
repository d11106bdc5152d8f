/*
 * Measures what metrics cost: the counting of a decision from memory, over the whole decision, and a scrape of a process
 * with three issuers. Counting includes the check for a subscriber, and the 256th decision, which is timed.
 */
import { Registry } from "prom-client";
import { readClock, systemClock } from "../src/core/clock.ts";
import type { ValidVerdict } from "../src/core/verdict.ts";
import { createConnections } from "../src/connections/index.ts";
import { DecisionCounts } from "../src/guard/metrics/decision-counts.ts";
import { DecisionDurations } from "../src/guard/metrics/decision-durations.ts";
import type { PipelineContext } from "../src/guard/pipeline/context.ts";
import { publishHit } from "../src/guard/pipeline/publish-decision.ts";
import type { ValidToken } from "../src/guard/pipeline/validation-result.ts";
import { createGuard, introspection, staticKeys } from "../src/index.ts";
import { createIssuer } from "../src/issuer/index.ts";
import { generateSigningKey, signToken } from "../src/jwt/sign.ts";
import { registerMetrics } from "../src/metrics/prometheus.ts";
import { RequestMetrics } from "../src/server/http/request-metrics.ts";
import { memoryStore } from "../src/stores/memory.ts";
import { audience, claims, issuer } from "./claims.ts";
import { measure, report } from "./measure.ts";

const MAX_SHARE = 0.02;
const MAX_SCRAPE_MS = 5;

const key = await generateSigningKey("ES256");
const keys = staticKeys({ keys: [key.publicJwk] });
const guard = createGuard({ issuer, audience, keys });
const token = signToken(claims(), key);
const verdict = await guard.validate(token);
if (verdict.status !== "valid") throw new Error(verdict.status);

/** The parts of a guard that count. */
const context = {
  name: "bench",
  decisionDurations: new DecisionDurations(systemClock),
  unknownIssuerDecisions: new DecisionCounts(),
} as unknown as PipelineContext;
const cached = {
  status: "valid",
  guardedIssuer: { decisionCounts: new DecisionCounts(), source: { issuer } },
} as unknown as ValidToken;
const now = readClock(systemClock);

const counting = await measure("Counting, over a decision from memory", [
  {
    name: "await guard.validate()",
    async run(iterations) {
      for (let i = 0; i < iterations; i++) {
        if ((await guard.validate(token)).status !== "valid") throw new Error("not valid");
      }
    },
  },
  {
    name: "its counting",
    target: MAX_SHARE,
    run(iterations) {
      for (let i = 0; i < iterations; i++) {
        if (publishHit(context, verdict as ValidVerdict<unknown>, cached, now) !== verdict)
          throw new Error("other");
      }
    },
  },
]);

const url = "https://id.example.com/introspect";
const authority = introspection({ url, clientId: "a", clientSecret: "b" });
const trusted = ["a", "b", "c"].map((name) => ({
  issuer: `https://${name}.example`,
  audience,
  keys,
  authority,
}));
const large = createGuard({ issuers: trusted });
const requests = new RequestMetrics();
for (let i = 0; i < 60; i++) {
  const status = i % 2 === 0 ? 200 : 500;
  requests.record({ request: { method: "GET" } as never, route: `/${i}`, status, durationMs: i });
}
const registry = new Registry();
registerMetrics(registry, {
  guards: [guard, large, requests],
  issuers: [createIssuer({ url: issuer, audience, store: memoryStore(), secret: "x".repeat(32) })],
  connections: [createConnections({ guard: large })],
});
const scrape = await measure("A scrape of a process with three issuers", [
  {
    name: "registry.metrics()",
    async run(iterations) {
      for (let i = 0; i < iterations; i++) await registry.metrics();
    },
  },
]);
const scrapeMs = (scrape.rows[0]?.micros ?? 0) / 1_000;
console.log(`  target ≤ ${MAX_SCRAPE_MS} ms${scrapeMs <= MAX_SCRAPE_MS ? "" : "  MISSED"}`);
report([counting, scrape]);
await Promise.all([guard.close(), large.close()]);
