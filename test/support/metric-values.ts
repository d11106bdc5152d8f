import assert from "node:assert/strict";
import type { MetricFamily, MetricLabels, MetricSource } from "../../src/core/metrics.ts";

function findFamily(source: MetricSource, name: string): MetricFamily {
  const found = source.metrics().find((family) => family.name === name);
  assert.ok(found !== undefined, name);
  return found;
}

function hasLabels(sample: { readonly labels: MetricLabels }, labels: MetricLabels): boolean {
  return Object.entries(labels).every(([label, value]) => sample.labels[label] === value);
}

/** The sum of a counter's or gauge's samples that have these labels. */
export function metricTotal(source: MetricSource, name: string, labels: MetricLabels): number {
  const family = findFamily(source, name);
  assert.ok(family.kind !== "histogram");
  return family.samples
    .filter((sample) => hasLabels(sample, labels))
    .reduce((sum, { value }) => sum + value, 0);
}

/** The number of a histogram's observations that have these labels. */
export function observationCount(source: MetricSource, name: string, labels: MetricLabels): number {
  const family = findFamily(source, name);
  assert.ok(family.kind === "histogram");
  return family.samples
    .filter((sample) => hasLabels(sample, labels))
    .flatMap(({ counts }) => counts)
    .reduce((sum, count) => sum + count, 0);
}
