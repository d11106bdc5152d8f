import { describe, test, type TestContext } from "node:test";
import type { ServiceHealth } from "../../src/server/health/service-health.ts";
import { waitUntil } from "../support/deadline.ts";
import {
  faultNames,
  isSiteMissing,
  startFaultSite,
  type FaultName,
  type FaultSite,
  type FaultSiteKind,
} from "../support/faults/ten-faults.ts";
import { noPromtool, testRules } from "./promtool.ts";
import { recordSite } from "./record-site.ts";
import { SCRAPE_MS, SeriesLog } from "./series.ts";

/*
 * Real services are scraped often, and the rules see the scrapes as if fifteen seconds lay between two of them. The
 * minutes of an alert then pass in seconds.
 */

/** The time between two scrapes, and how often they are made before and during a fault. */
interface Pace {
  readonly everyMs: number;
  readonly before: number;
  readonly during: number;
}

const MAX_RECORDS = 5;
const fast: Pace = { everyMs: 250, before: 12, during: 24 };

/** What users feel of any fault, and what a busy machine adds. */
const always = [
  "HoldfastRequestsFailing",
  "HoldfastStoreSlow",
  "HoldfastUnavailableBurnFast",
  "HoldfastUnavailableBurnSlow",
];

/** The alert that names the part of each fault, and those of other parts that fail with it. Redis is the shared cache, too. */
const expected: Readonly<Record<FaultName, { first: string; also?: readonly string[]; pace?: Pace }>> = {
  "store locked": { first: "HoldfastStoreFailing" },
  "disk full": { first: "HoldfastStoreFailing" },
  "Redis frozen": {
    first: "HoldfastStoreFailing",
    also: ["HoldfastRevocationsStale", "HoldfastBreakerOpen"],
  },
  "Redis read-only": {
    first: "HoldfastStoreFailing",
    also: ["HoldfastRevocationsStale", "HoldfastBreakerOpen"],
  },
  // The breaker opens after five failures, and each of them takes two seconds.
  "authority hung": { first: "HoldfastBreakerOpen", pace: { everyMs: 500, before: 12, during: 40 } },
  // An open breaker probes every ten seconds at the latest, and the alert looks back on twenty scrapes.
  "authority refuses us": {
    first: "HoldfastAuthorityMisconfigured",
    also: ["HoldfastBreakerOpen"],
    pace: { everyMs: 750, before: 8, during: 30 },
  },
  "key set stale": { first: "HoldfastKeysUnreachable" },
  "clock stepped": { first: "HoldfastClockStepped" },
  // The view of the revocations is too old for the alert after fifteen real seconds.
  "feed cut": {
    first: "HoldfastRevocationsStale",
    also: ["HoldfastStoreFailing", "HoldfastBreakerOpen"],
    pace: { everyMs: 1000, before: 4, during: 24 },
  },
  // Ten minutes of the rules pass before this alert, and its rates need some minutes.
  "login flood": { first: "HoldfastLoginAttack", pace: { everyMs: 250, before: 12, during: 60 } },
};

/** They take as long as all others of the same site. */
const authorityFaults: readonly FaultName[] = ["authority hung", "authority refuses us"];

/** A breaker that tests its upstream. Four scrapes of that are a minute of the rules, and the alert fires. */
const UNSETTLED = /^holdfast_breaker_state\{[^}]*state="(?:open|forced open|half-open)"[^}]*\} 1$/m;

async function isWell({ deployment, users }: FaultSite): Promise<boolean> {
  await users.askAll();
  const services = [deployment.issuer, deployment.gateway].map(async ({ admin }) => {
    const { status } = (await (await fetch(`${admin}/health`)).json()) as ServiceHealth;
    const metrics = await (await fetch(`${admin}/metrics`)).text();
    return status === "ok" && !UNSETTLED.test(metrics);
  });
  return (await Promise.all(services)).every(Boolean);
}

/** The time of the last scrape, in minutes. */
function minuteOf({ scrapes }: SeriesLog): number {
  return ((scrapes - 1) * SCRAPE_MS) / 60_000;
}

/** Records the site before a fault. On a busy machine, an authority may fail by itself meanwhile: then it records anew. */
async function recordWell(site: FaultSite, name: FaultName, { before, everyMs }: Pace): Promise<SeriesLog> {
  for (let attempt = 1; ; attempt++) {
    await waitUntil(async () => await isWell(site), `a site that is well before ${name}`, 60_000);
    const series = new SeriesLog();
    await recordSite(site, series, before, everyMs);
    if (attempt === MAX_RECORDS || (await isWell(site))) return series;
  }
}

async function checkFault(site: FaultSite, name: FaultName): Promise<void> {
  const { first, also = [], pace = fast } = expected[name];
  const series = await recordWell(site, name, pace);
  const before = minuteOf(series);
  await site.during(name, async () => await recordSite(site, series, pace.during, pace.everyMs));
  const after = minuteOf(series);
  const firing = (matchers: string) =>
    `count by (alertname) (ALERTS{alertstate="firing",${matchers}}) > bool 0`;
  await testRules(series.inputSeries(), [
    { expr: firing(""), minute: before, samples: [] },
    {
      expr: firing(`alertname="${first}"`),
      minute: after,
      samples: [{ labels: `{alertname="${first}"}`, value: 1 }],
    },
    { expr: firing(`alertname!~"${[first, ...also, ...always].join("|")}"`), minute: after, samples: [] },
  ]);
}

async function checkSite(t: TestContext, kind: FaultSiteKind, names: readonly FaultName[]): Promise<void> {
  const site = await startFaultSite(kind);
  t.after(site.stop);
  for (const name of names) {
    await t.test(`law 10: ${expected[name].first} fires in a real service for: ${name}`, async () => {
      await checkFault(site, name);
    });
  }
}

void describe("law 10: alerts name the failing part", { skip: noPromtool, concurrency: true }, () => {
  void test("law 10: alerts name each fault of an authority", async (t) => {
    await checkSite(t, "SQLite", authorityFaults);
  });

  void test("law 10: alerts name each other fault of a service on SQLite", async (t) => {
    const others = faultNames("SQLite").filter((name) => !authorityFaults.includes(name));
    await checkSite(t, "SQLite", others);
  });

  void test("law 10: alerts name each fault of Redis", { skip: isSiteMissing("Redis") }, async (t) => {
    await checkSite(t, "Redis", faultNames("Redis"));
  });

  void test("law 10: alerts name a feed that is cut", { skip: isSiteMissing("Redis") }, async (t) => {
    await checkSite(t, "two processes", faultNames("two processes"));
  });
});
