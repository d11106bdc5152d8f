import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import {
  AggregationTemporality,
  DataPointType,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
  type MetricData,
} from "@opentelemetry/sdk-metrics";
import { isHoldfastError } from "../../src/core/errors.ts";
import type { MetricSource } from "../../src/core/metrics.ts";
import { registerMetrics } from "../../src/metrics/opentelemetry.ts";
import { makeFixture } from "../guard/degraded/fixture.ts";
import { createFixture, logIn } from "../issuer/fixture.ts";
import { openConnection, setUp } from "../connections/fixture.ts";

/** The real SDK, with what it exports. */
function makeMeter(t: TestContext) {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
  const provider = new MeterProvider({ readers: [reader] });
  t.after(async () => await provider.shutdown());
  const collect = async (): Promise<Map<string, MetricData>> => {
    exporter.reset();
    await reader.forceFlush();
    const metrics = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics);
    return new Map(metrics.flatMap((scope) => scope.metrics).map((data) => [data.descriptor.name, data]));
  };
  return { meter: provider.getMeter("test"), collect };
}

/** The name that Prometheus gives a metric of OpenTelemetry. */
function prometheusName({ descriptor: { name, unit }, dataPointType }: MetricData): string {
  const ends: Record<string, string> = { s: "_seconds", By: "_bytes" };
  const total = dataPointType === DataPointType.SUM ? "_total" : "";
  return name.replaceAll(".", "_") + (ends[unit] ?? "") + total;
}

test("a meter of OpenTelemetry has the metrics of guard, issuer and connections, with the numbers of Prometheus", async (t) => {
  const { meter, collect } = makeMeter(t);
  const { guard: open, provider } = await makeFixture(t);
  const guard = open();
  const { issuer } = createFixture();
  const { connections, mint, guard: other } = await setUp();
  t.after(async () => await Promise.all([connections.close(), issuer.close(), other.close()]));
  const sources: MetricSource[] = [guard, issuer, connections];
  registerMetrics(meter, { guards: [guard], issuers: [issuer], connections: [connections] });
  const token = provider.token({ sub: "ada" });
  for (let i = 0; i < 5; i++) await guard.validate(token);
  await guard.validate("garbage");
  await issuer.refresh((await logIn(issuer)).refresh_token);
  await openConnection(connections, mint.token());
  const exported = await collect();
  const ours = new Map(sources.flatMap((source) => source.metrics()).map((family) => [family.name, family]));
  for (const data of exported.values()) {
    const family = ours.get(prometheusName(data));
    assert.ok(family !== undefined, data.descriptor.name);
    assert.equal(data.descriptor.description, family.help);
    if (family.kind === "histogram") continue;
    const values = (points: readonly { value: unknown }[]) => points.map(({ value }) => value);
    if (family.name.includes("_age_")) continue;
    assert.deepEqual(values(data.dataPoints), values(family.samples), family.name);
    assert.deepEqual(
      data.dataPoints.map(({ attributes }) => attributes),
      family.samples.map(({ labels }) => labels),
    );
  }
  const withSamples = [...ours.values()].filter(
    (family) => family.kind !== "histogram" && family.samples.length > 0,
  );
  for (const { name } of withSamples) {
    assert.ok(
      [...exported.values()].some((data) => prometheusName(data) === name),
      name,
    );
  }
  assert.equal(exported.get("holdfast.guard.decisions")?.dataPointType, DataPointType.SUM);
});

test("a histogram has every observation since its registration, in the buckets of Prometheus", async (t) => {
  const { meter, collect } = makeMeter(t);
  const { guard: open, provider } = await makeFixture(t);
  const guard = open();
  await guard.validate(provider.token({ sub: "before" }));
  const stop = registerMetrics(meter, { guards: [guard] });
  await guard.validate(provider.token({ sub: "ada" }));
  await guard.validate(provider.token({ sub: "bob" }));
  const name = "holdfast.guard.decision.duration";
  const data = (await collect()).get(name);
  assert.ok(data?.dataPointType === DataPointType.HISTOGRAM);
  assert.equal(data.descriptor.unit, "s");
  const [point] = data.dataPoints;
  assert.deepEqual(point?.attributes, { guard: t.name, from: "verification" });
  assert.equal(point.value.count, 2);
  const family = guard.metrics().find((one) => one.name === "holdfast_guard_decision_duration_seconds");
  assert.ok(family?.kind === "histogram");
  assert.deepEqual(point.value.buckets.boundaries, family.samples[0]?.bounds);
  stop();
  await guard.validate(provider.token({ sub: "cid" }));
  const after = (await collect()).get(name);
  assert.ok(after?.dataPointType === DataPointType.HISTOGRAM);
  assert.equal(after.dataPoints[0]?.value.count, 2);
});

test("two guards of one name are one series, whose counters are added up", async (t) => {
  const { meter, collect } = makeMeter(t);
  const { guard: open, provider } = await makeFixture(t);
  const guards = [open(), open()];
  registerMetrics(meter, { guards });
  for (const guard of guards) await guard.validate(provider.token({ sub: "ada" }));
  const data = (await collect()).get("holdfast.guard.decisions");
  assert.ok(data?.dataPointType === DataPointType.SUM);
  assert.deepEqual(
    data.dataPoints.map(({ value }) => value),
    [2],
  );
});

test("wrong arguments are refused by name", (t) => {
  const { meter } = makeMeter(t);
  assert.throws(
    () => registerMetrics({} as never, {}),
    (error) => isHoldfastError(error, "missing_method") && error.message.includes("meter"),
  );
  assert.throws(
    () => registerMetrics(meter, { guards: [{} as MetricSource] }),
    (error) => isHoldfastError(error, "missing_method"),
  );
  assert.throws(
    () => registerMetrics(meter, { guard: [] } as never),
    (error) => isHoldfastError(error, "invalid_option") && error.message.includes("guard"),
  );
});
