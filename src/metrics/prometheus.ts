import type { MetricValue, MetricValueWithName, Registry } from "prom-client";
import type { HistogramSample, MetricFamily } from "../core/metrics.ts";
import { requireMethods } from "../core/options.ts";
import { collect } from "./collect.ts";
import { readSources, type MetricSources } from "./sources.ts";

export type { MetricFamily, MetricSource } from "../core/metrics.ts";
export type { MetricSources } from "./sources.ts";

/**
 * Registers the metrics of guards, issuers and connections in a registry of `prom-client`. Each scrape reads the
 * numbers that the parts count anyway, so a request costs nothing more.
 *
 * Throws `invalid_option`, or `missing_method` for a part without metrics. The registry throws when a name is registered already: pass all
 * parts in one call.
 *
 * @example
 * ```ts
 * import { createServer } from "node:http";
 * import { createGuard } from "holdfast";
 * import { registerMetrics } from "holdfast/prometheus";
 * import { Registry } from "prom-client";
 *
 * const guard = createGuard({ issuer: "https://id.example.com", audience: "https://api.example.com" });
 * const registry = new Registry();
 * registerMetrics(registry, { guards: [guard] });
 *
 * createServer((_request, response) => {
 *   response.setHeader("content-type", registry.contentType);
 *   void registry.metrics().then((text) => response.end(text));
 * }).listen(9_464);
 * ```
 */
export function registerMetrics(registry: Registry, sources: MetricSources): void {
  requireMethods("registerMetrics", "registry", registry, ["registerMetric"]);
  const all = readSources(sources);
  const collectOnce = oncePerTurn(() => collect(all));
  for (const family of collect(all).values()) {
    // The registry calls `name` and `get` only. Its classes would hold each value a second time.
    registry.registerMetric(new CollectedMetric(family, collectOnce) as never);
  }
}

/** A scrape asks every metric for its values in one turn of the event loop. One collection serves them all. */
function oncePerTurn<T>(read: () => T): () => T {
  let current: { readonly value: T } | null = null;
  return () => {
    if (current === null) {
      current = { value: read() };
      queueMicrotask(() => (current = null));
    }
    return current.value;
  };
}

/** One metric of ours, in the form that a registry reads. The registry changes `name` to suit OpenMetrics. */
class CollectedMetric {
  name: string;
  readonly help: string;
  readonly type: MetricFamily["kind"];
  readonly #family: string;
  readonly #collect: () => Map<string, MetricFamily>;

  constructor({ name, help, kind }: MetricFamily, collectOnce: () => Map<string, MetricFamily>) {
    this.name = name;
    this.help = help;
    this.type = kind;
    this.#family = name;
    this.#collect = collectOnce;
  }

  get() {
    const family = this.#collect().get(this.#family);
    return {
      name: this.name,
      help: this.help,
      type: this.type,
      aggregator: "sum",
      values: family === undefined ? [] : readValues(family),
    };
  }

  /** The numbers belong to the parts, which count from their creation on. */
  reset(): void {}
}

function readValues(family: MetricFamily): MetricValue<string>[] {
  if (family.kind !== "histogram") return family.samples.map(({ labels, value }) => ({ labels, value }));
  return family.samples.flatMap((sample) => histogramValues(family.name, sample));
}

/** The types of `prom-client` leave out what its registry reads. */
type BucketValue = MetricValueWithName<string> & {
  readonly exemplar?: {
    readonly labelSet: Readonly<Record<string, string>>;
    readonly value: number;
    /** Epoch seconds. */
    readonly timestamp: number;
  };
};

function histogramValues(
  name: string,
  { labels, bounds, counts, sum, exemplars }: HistogramSample,
): MetricValue<string>[] {
  let count = 0;
  const buckets = counts.map((inBucket, i): BucketValue => {
    count += inBucket;
    const bucket = {
      metricName: `${name}_bucket`,
      labels: { ...labels, le: bounds[i] ?? "+Inf" },
      value: count,
    };
    const { traceId, value, at } = exemplars[i] ?? {};
    if (traceId === undefined || value === undefined || at === undefined) return bucket;
    return { ...bucket, exemplar: { labelSet: { trace_id: traceId }, value, timestamp: at / 1_000 } };
  });
  const value = (suffix: string, total: number): MetricValueWithName<string> => ({
    metricName: `${name}_${suffix}`,
    labels: { ...labels },
    value: total,
  });
  return [...buckets, value("sum", sum), value("count", count)];
}
