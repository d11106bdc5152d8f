import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { z } from "zod";
import { createTestConnections, openConnection } from "../connections/fixture.ts";
import { makeFixture } from "../guard/fixture.ts";
import { login, post } from "../support/auth-calls.ts";
import { startFaultSite } from "../support/faults/ten-faults.ts";
import { noPrometheus, startPrometheus } from "./prometheus-server.ts";
import { Recording } from "./recording.ts";
import { recordSite } from "./record-site.ts";
import { SeriesLog } from "./series.ts";
import { readFromRoot } from "./support.ts";

const sourceSchema = z.object({ type: z.literal("prometheus"), uid: z.literal("${datasource}") });
const gridSchema = z.object({ x: z.number(), y: z.number(), w: z.number(), h: z.number() });
const panelSchema = z.object({
  id: z.number(),
  title: z.string().min(1),
  type: z.string(),
  gridPos: gridSchema,
  datasource: sourceSchema.optional(),
  targets: z.array(z.object({ expr: z.string(), datasource: sourceSchema })).default([]),
});
const dashboardSchema = z.object({
  title: z.literal("Holdfast"),
  templating: z.object({
    list: z.array(z.object({ name: z.string(), type: z.string(), query: z.unknown() })),
  }),
  annotations: z.object({ list: z.array(z.object({ name: z.string(), expr: z.string() })) }),
  panels: z.array(panelSchema),
});

const dashboard = dashboardSchema.parse(JSON.parse(readFromRoot("ops/grafana/holdfast.json")));
const { panels, annotations, templating } = dashboard;
const expressions = [
  ...panels.flatMap(({ title, targets }) => targets.map(({ expr }) => ({ title, expr }))),
  ...annotations.list.map(({ name, expr }) => ({ title: `annotation ${name}`, expr })),
];

/** The metrics that an expression names, without the suffixes of a histogram. */
function metricsOf(expr: string): string[] {
  const names = expr.match(/\b(?:holdfast|http_server)_\w+/g) ?? [];
  return names.map((name) => name.replace(/_(?:bucket|sum|count)$/, ""));
}

const documented = new Set(
  [...readFromRoot("docs/run/metrics.md").matchAll(/^\| `(\w+)` \|/gm)].map(([, name = ""]) => name),
);

test("every metric in an expression of the Grafana dashboard exists", () => {
  for (const { title, expr } of expressions) {
    for (const name of metricsOf(expr)) assert.ok(documented.has(name), `${title}: ${name}`);
  }
});

test("the Grafana dashboard shows every metric", () => {
  const shown = new Set(panels.flatMap(({ targets }) => targets.flatMap(({ expr }) => metricsOf(expr))));
  assert.deepEqual(
    [...documented].filter((name) => !shown.has(name)),
    [],
  );
});

test("the Grafana dashboard has the variables that its expressions use, and no other", () => {
  const used = new Set(
    expressions.flatMap(({ expr }) => [...expr.matchAll(/\$(?!__)(\w+)/g)].map(([, name = ""]) => name)),
  );
  assert.deepEqual([...used, "datasource"].toSorted(), templating.list.map(({ name }) => name).toSorted());
});

test("the panels of the Grafana dashboard fit the page, and none covers another", () => {
  assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
  for (const [i, { title, gridPos: one }] of panels.entries()) {
    assert.ok(one.x + one.w <= 24, title);
    for (const { title: otherTitle, gridPos: other } of panels.slice(i + 1)) {
      const isApart =
        one.x + one.w <= other.x ||
        other.x + other.w <= one.x ||
        one.y + one.h <= other.y ||
        other.y + other.h <= one.y;
      assert.ok(isApart, `${title} covers ${otherTitle}`);
    }
  }
});

/** The metrics without samples in the recording below, and the reason. */
const unrecorded: Readonly<Record<string, string>> = {
  holdfast_shared_request_duration_seconds: "only services on Redis have a shared cache",
  holdfast_shared_requests_total: "only services on Redis have a shared cache",
  holdfast_backup_last_success_timestamp_seconds: "no back-up was made",
};

/** A service whose authority hangs for a while and whose clock jumps, and connections of which one is revoked. */
async function record(t: TestContext): Promise<SeriesLog> {
  const series = new SeriesLog();
  const site = await startFaultSite("SQLite");
  t.after(site.stop);
  await recordSite(site, series, 8, 250);
  const { issuer } = site.deployment;
  const tokens = await login(issuer.url);
  await post(issuer.url, "/auth/logout", { refresh_token: tokens.refresh_token });
  await site.during("authority hung", async () => await recordSite(site, series, 24, 500));
  await site.during("clock stepped", async () => await recordSite(site, series, 8, 500));

  const { guard: open, clock, mint, log, revoke } = await makeFixture();
  const guard = open({ revocations: log });
  t.after(async () => await guard.close());
  await guard.ready();
  const connections = createTestConnections(t, guard, clock, { max: 20 });
  const accepted = ["one", "two"].map((jti) => mint.token({ jti, exp: clock.now() / 1_000 + 86_400 }));
  for (const token of accepted) await openConnection(connections, token);
  const recording = new Recording(clock, [connections], series);
  await recording.run(2, async () => await Promise.resolve());
  await revoke("token", "one");
  await recording.run(2, async () => await Promise.resolve());
  return series;
}

test(
  "a real Prometheus evaluates every expression of the Grafana dashboard on a recorded run",
  { skip: noPrometheus },
  async (t) => {
    const series = await record(t);
    const server = await startPrometheus(series, Date.now() - 3_600_000);
    t.after(server.stop);
    const failures: string[] = [];
    for (const { title, expr } of expressions) {
      const text = expr
        .replaceAll("$__rate_interval", "1m")
        .replaceAll("$__range", "1h")
        .replaceAll(/\$(?:job|instance|issuer)\b/g, ".*");
      const found = await server.query(text);
      const reason = metricsOf(expr).find((name) => Object.hasOwn(unrecorded, name));
      if (found.length === 0 && reason === undefined) failures.push(`${title}: ${text}`);
      if (found.length > 0 && reason !== undefined) failures.push(`${title} is recorded`);
    }
    assert.deepEqual(failures, []);
    const [open] = await server.query('max(holdfast_breaker_state{state="open"})');
    assert.ok(
      open?.values.some(([, value]) => value === "1"),
      "the recording has an open breaker",
    );
  },
);
