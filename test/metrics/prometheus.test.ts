import assert from "node:assert/strict";
import { test } from "node:test";
import { Registry } from "prom-client";
import { isHoldfastError } from "../../src/core/errors.ts";
import { Histogram, metricFamily, type MetricSource } from "../../src/core/metrics.ts";
import { registerMetrics } from "../../src/metrics/prometheus.ts";
import { makeFixture } from "../guard/fixture.ts";

function source(count: number, open: number, durations: readonly number[]): MetricSource {
  const histogram = new Histogram([0.1, 1]);
  for (const duration of durations) histogram.record(duration);
  return {
    metrics: () => [
      metricFamily("counter", "made_total", "Things made.", [{ labels: { kind: 'a"b' }, value: count }]),
      metricFamily("gauge", "open", "Things open.", [{ labels: {}, value: open }]),
      { kind: "histogram", name: "took_seconds", help: "Time.", samples: [histogram.sample({ kind: "a" })] },
    ],
  };
}

test("a registry of prom-client prints the metrics of all sources, each series once", async () => {
  const registry = new Registry();
  registerMetrics(registry, { guards: [source(2, 1, [0.0625, 0.5]), source(3, 5, [0.1, 7])] });
  assert.equal(
    await registry.metrics(),
    [
      "# HELP made_total Things made.",
      "# TYPE made_total counter",
      'made_total{kind="a\\"b"} 5',
      "",
      "# HELP open Things open.",
      "# TYPE open gauge",
      "open 5",
      "",
      "# HELP took_seconds Time.",
      "# TYPE took_seconds histogram",
      'took_seconds_bucket{kind="a",le="0.1"} 2',
      'took_seconds_bucket{kind="a",le="1"} 3',
      'took_seconds_bucket{kind="a",le="+Inf"} 4',
      'took_seconds_sum{kind="a"} 7.6625',
      'took_seconds_count{kind="a"} 4',
      "",
    ].join("\n"),
  );
});

test("the OpenMetrics form names counters as the standard wants", async () => {
  const registry = new Registry();
  registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE as never);
  registerMetrics(registry, { issuers: [source(2, 1, [])] });
  const text = await registry.metrics();
  assert.match(text, /# TYPE made counter\nmade_total\{kind="a\\"b"\} 2\n/);
  assert.equal(await registry.metrics(), text);
});

test("a scrape collects the numbers of each part once, and the next scrape collects them again", async () => {
  let collections = 0;
  const counted: MetricSource = {
    metrics: () => {
      collections++;
      return source(collections, 1, []).metrics();
    },
  };
  const registry = new Registry();
  registerMetrics(registry, { connections: [counted] });
  const registered = collections;
  assert.match(await registry.metrics(), new RegExp(` ${registered + 1}\n`));
  assert.match(await registry.metrics(), new RegExp(` ${registered + 2}\n`));
});

test("a part without metrics is refused by name", () => {
  assert.throws(
    () => registerMetrics(new Registry(), { guards: [{} as MetricSource] }),
    (error) => isHoldfastError(error, "missing_method") && /registerMetrics.*metrics/.test(error.message),
  );
});

test("wrong arguments are refused by name", async () => {
  const { guard } = await makeFixture();
  const registry = new Registry();
  const wrong: [registry: unknown, sources: unknown, message: RegExp][] = [
    [
      undefined,
      { guards: [] },
      /registerMetrics: registry must be an object with registerMetric; got undefined/,
    ],
    [registry, guard(), /registerMetrics has no option ".*"; it has guards, issuers, connections/],
    [registry, { guard: [guard()] }, /no option "guard".*did you mean guards\?/],
    [registry, { guards: guard() }, /registerMetrics: guards must be an array of parts; got/],
  ];
  for (const [target, sources, message] of wrong) {
    assert.throws(() => registerMetrics(target as never, sources as never), {
      code: "invalid_option",
      message,
    });
  }
});

test("the metrics of a guard are valid for Prometheus and name no token and no subject", async () => {
  const { guard: open, mint, log } = await makeFixture();
  const guard = open({ revocations: log });
  await guard.ready();
  const token = mint.token({ sub: "ada" });
  await guard.validate(token);
  await guard.validate(`${token.slice(0, -4)}AAAA`);
  const registry = new Registry();
  registerMetrics(registry, { guards: [guard] });
  const text = await registry.metrics();
  const series = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  const form = /^holdfast_[a-z_]+(\{([a-z_]+="[^"\n]*",?)*\})? (\d+(\.\d+)?(e[-+]\d+)?|\+Inf|Nan)$/;
  for (const line of series) assert.match(line, form);
  const names = series.map((line) => line.slice(0, line.lastIndexOf(" ")));
  assert.equal(new Set(names).size, names.length);
  for (const part of [...token.split("."), "ada"]) assert.ok(!text.includes(part));
  await guard.close();
});
