import {
  metricFamily,
  type Counts,
  type MetricFamily,
  type MetricLabels,
  type MetricSample,
} from "../../core/metrics.ts";
import type { BreakerEvent } from "../../core/operation-events.ts";

const states: readonly BreakerEvent["to"][] = ["closed", "open", "half-open", "forced open", "forced closed"];

/** One breaker of a guard. */
export interface ObservedBreaker {
  /** The guard and the issuer. The issuer of the shared cache is `all`. */
  readonly labels: MetricLabels;
  readonly upstream: BreakerEvent["upstream"];
  readonly state: BreakerEvent["to"];
  /** Counts the events of its source. */
  readonly counts: Counts;
}

export function breakerMetrics(breakers: readonly ObservedBreaker[]): MetricFamily[] {
  return [
    metricFamily(
      "gauge",
      "holdfast_breaker_state",
      "1 for the state of the breaker.",
      breakers.flatMap(stateSamples),
    ),
    metricFamily(
      "counter",
      "holdfast_breaker_transitions_total",
      "Changes of the breaker.",
      breakers.flatMap(transitionSamples),
    ),
  ];
}

function stateSamples({ labels, upstream, state: current }: ObservedBreaker): MetricSample[] {
  return states.map((state) => ({
    labels: { ...labels, upstream, state },
    value: state === current ? 1 : 0,
  }));
}

function transitionSamples({ labels, upstream, counts }: ObservedBreaker): MetricSample[] {
  const [opened, closed] =
    upstream === "authority" ? ["breaker_opened", "breaker_closed"] : ["shared_failed", "shared_restored"];
  return [
    { labels: { ...labels, upstream, to: "open" }, value: counts.count(opened ?? "") },
    { labels: { ...labels, upstream, to: "closed" }, value: counts.count(closed ?? "") },
  ];
}
