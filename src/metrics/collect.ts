import type { HistogramSample, MetricFamily, MetricLabels, MetricSource } from "../core/metrics.ts";

/**
 * The metrics of all sources, one family for each name. Samples with the same labels become one, because a metrics
 * server rejects a response that has a series twice: two guards of a process may have the same name.
 */
export function collect(sources: readonly MetricSource[]): Map<string, MetricFamily> {
  const families = new Map<string, MetricFamily>();
  for (const family of sources.flatMap((source) => source.metrics())) {
    const known = families.get(family.name);
    families.set(family.name, known === undefined ? family : merge(known, family));
  }
  return families;
}

function merge(known: MetricFamily, other: MetricFamily): MetricFamily {
  if (known.kind === "histogram" && other.kind === "histogram") {
    return { ...known, samples: mergeSamples(known.samples, other.samples, addHistograms) };
  }
  if (known.kind === "histogram" || other.kind === "histogram") return known;
  const combine = known.kind === "counter" ? add : Math.max;
  const mergeValues = <S extends { value: number }>(a: S, b: S) => ({
    ...a,
    value: combine(a.value, b.value),
  });
  return { ...known, samples: mergeSamples(known.samples, other.samples, mergeValues) };
}

const add = (a: number, b: number): number => a + b;

function addHistograms(a: HistogramSample, b: HistogramSample): HistogramSample {
  const exemplars = a.exemplars.length > 0 ? a.exemplars : b.exemplars;
  return {
    ...a,
    exemplars,
    counts: a.counts.map((count, i) => count + (b.counts[i] ?? 0)),
    sum: a.sum + b.sum,
  };
}

function mergeSamples<S extends { readonly labels: MetricLabels }>(
  known: readonly S[],
  others: readonly S[],
  combine: (a: S, b: S) => S,
): S[] {
  const byLabels = new Map<string, S>();
  for (const sample of [...known, ...others]) {
    const key = JSON.stringify(Object.entries(sample.labels).toSorted(([a], [b]) => (a < b ? -1 : 1)));
    const earlier = byLabels.get(key);
    byLabels.set(key, earlier === undefined ? sample : combine(earlier, sample));
  }
  return [...byLabels.values()];
}
