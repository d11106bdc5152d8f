import type { MetricFamily, MetricLabels, MetricSource } from "../../core/metrics.ts";

/** The observations of a histogram since the start, by bucket. The last bucket has no bound. */
export interface BucketCounts {
  /** Ascending upper bounds, in seconds. */
  readonly bounds: readonly number[];
  readonly counts: readonly number[];
}

const noBuckets: BucketCounts = { bounds: [], counts: [] };

/** The metrics of a process at one moment. */
export class MetricReadings {
  readonly #families = new Map<string, MetricFamily>();

  constructor(sources: readonly MetricSource[]) {
    for (const family of sources.flatMap((source) => source.metrics()))
      this.#families.set(family.name, family);
  }

  /** The sum of the samples that have these labels. 0 without such samples. */
  sum(name: string, labels: MetricLabels = {}): number {
    return this.#values(name, labels).reduce((total, value) => total + value, 0);
  }

  /** As `sum`, but `null` when no sample has these labels. */
  value(name: string, labels: MetricLabels = {}): number | null {
    const values = this.#values(name, labels);
    return values.length === 0 ? null : values.reduce((total, value) => total + value, 0);
  }

  /** The sum of the histograms that have these labels. The histograms of one metric have the same bounds. */
  buckets(name: string, labels: MetricLabels = {}): BucketCounts {
    const family = this.#families.get(name);
    if (family?.kind !== "histogram") return noBuckets;
    const samples = family.samples.filter((sample) => hasLabels(sample.labels, labels));
    return samples.reduce<BucketCounts>(addBuckets, noBuckets);
  }

  /** The values that this label has in the samples of a metric. */
  labelValues(name: string, label: string): string[] {
    const samples = this.#families.get(name)?.samples ?? [];
    return [...new Set(samples.flatMap(({ labels }) => labels[label] ?? []))];
  }

  #values(name: string, labels: MetricLabels): number[] {
    const family = this.#families.get(name);
    if (family === undefined || family.kind === "histogram") return [];
    return family.samples.filter((sample) => hasLabels(sample.labels, labels)).map(({ value }) => value);
  }
}

function hasLabels(labels: MetricLabels, wanted: MetricLabels): boolean {
  for (const name in wanted) if (labels[name] !== wanted[name]) return false;
  return true;
}

/** The sum of two histograms with the same bounds. */
export function addBuckets(a: BucketCounts, { bounds, counts }: BucketCounts): BucketCounts {
  return { bounds, counts: counts.map((count, i) => count + (a.counts[i] ?? 0)) };
}
