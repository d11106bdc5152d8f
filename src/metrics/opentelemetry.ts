import type { BatchObservableCallback, Meter, Observable } from "@opentelemetry/api";
import type { MetricFamily, MetricSource } from "../core/metrics.ts";
import { requireMethods } from "../core/options.ts";
import { collect } from "./collect.ts";
import { readSources, type MetricSources } from "./sources.ts";

export type { MetricFamily, MetricSource } from "../core/metrics.ts";
export type { MetricSources } from "./sources.ts";
export { createTracing, type TracingOptions } from "./tracing.ts";
export type { Tracing } from "../core/tracing.ts";

/**
 * Registers the metrics of guards, issuers and connections with a meter of OpenTelemetry. Counters and gauges are read at
 * each collection. A histogram has the observations from now on, each in the context of its request, so that it can have
 * exemplars. Returns the function that ends it.
 *
 * The names are those of `holdfast/prometheus` with dots, and units in place of their ends: `holdfast.guard.decisions`.
 *
 * Throws `invalid_option`, or `missing_method` for a part without metrics.
 *
 * @example
 * ```ts
 * import { metrics } from "@opentelemetry/api";
 * import { createGuard } from "holdfast";
 * import { registerMetrics } from "holdfast/opentelemetry";
 *
 * const guard = createGuard({ issuer: "https://id.example.com", audience: "https://api.example.com" });
 * registerMetrics(metrics.getMeter("holdfast"), { guards: [guard] });
 * ```
 */
export function registerMetrics(meter: Meter, sources: MetricSources): () => void {
  requireMethods("registerMetrics", "meter", meter, METER_METHODS);
  const all = readSources(sources);
  const stopHistograms = recordHistograms(meter, all);
  const observables = new Map<string, Observable>();
  for (const family of collect(all).values()) {
    if (family.kind === "histogram") continue;
    const { name, unit } = dottedName(family);
    const options = { description: family.help, unit };
    observables.set(
      family.name,
      family.kind === "counter"
        ? meter.createObservableCounter(name, options)
        : meter.createObservableGauge(name, options),
    );
  }
  const observe: BatchObservableCallback = (result) => {
    for (const family of collect(all).values()) {
      const observable = observables.get(family.name);
      if (observable === undefined || family.kind === "histogram") continue;
      for (const { value, labels } of family.samples) result.observe(observable, value, labels);
    }
  };
  const instruments = [...observables.values()];
  meter.addBatchObservableCallback(observe, instruments);
  return () => {
    meter.removeBatchObservableCallback(observe, instruments);
    stopHistograms();
  };
}

const METER_METHODS = [
  "createHistogram",
  "createObservableCounter",
  "createObservableGauge",
  "addBatchObservableCallback",
  "removeBatchObservableCallback",
];

/** OpenTelemetry has no histogram that is read, so that each observation is passed on. */
function recordHistograms(meter: Meter, sources: readonly MetricSource[]): () => void {
  const stops: (() => void)[] = [];
  for (const family of sources.flatMap((source) => source.metrics())) {
    if (family.kind !== "histogram") continue;
    const { name, unit } = dottedName(family);
    for (const { labels, bounds, observe } of family.samples) {
      const advice = { explicitBucketBoundaries: [...bounds] };
      const histogram = meter.createHistogram(name, { description: family.help, unit, advice });
      stops.push(observe((value) => histogram.record(value, labels)));
    }
  }
  return () => {
    for (const stop of stops) stop();
  };
}

const UNITS: readonly [end: string, unit: string][] = [
  ["_seconds", "s"],
  ["_bytes", "By"],
];

/** The conventions of OpenTelemetry give the unit beside the name, and a counter no end of its own. */
function dottedName({ kind, name }: MetricFamily): { name: string; unit: string } {
  const base = kind === "counter" ? name.replace(/_total$/, "") : name;
  const [end = "", unit = ""] = UNITS.find(([one]) => base.endsWith(one)) ?? [];
  return { name: base.slice(0, base.length - end.length).replaceAll("_", "."), unit };
}
