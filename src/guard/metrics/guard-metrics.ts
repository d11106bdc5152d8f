import {
  metricFamily,
  type Histogram,
  type MetricFamily,
  type MetricLabels,
  type MetricSample,
} from "../../core/metrics.ts";
import type { PipelineContext } from "../pipeline/context.ts";
import { guardStatus } from "../status.ts";
import type { GuardStatus } from "../status-types.ts";
import { issuerMetrics } from "./issuer-metrics.ts";
import { TIMED_HITS } from "./decision-durations.ts";

/** The metrics of a guard, as they are now. */
export function guardMetrics(context: PipelineContext): readonly MetricFamily[] {
  const status = guardStatus(context);
  const guard = { guard: context.name };
  return [
    ...decisionMetrics(context),
    metricFamily("gauge", "holdfast_guard_in_flight", "Verifications and questions that are under way.", [
      { labels: guard, value: status.inFlight },
    ]),
    ...memoryMetrics(guard, status.memory),
    ...sharedMetrics(guard, status.shared, context.sharedCache?.readDurations),
    metricFamily(
      "gauge",
      "holdfast_clock_step_seconds",
      "How far the wall clock jumped, while both times are judged.",
      [{ labels: guard, value: status.clockSteppedMs / 1_000 }],
    ),
    metricFamily("counter", "holdfast_clock_steps_total", "Jumps of the wall clock.", [
      { labels: guard, value: context.eventCounts.count("clock_stepped") },
    ]),
    ...issuerMetrics(context, status),
  ];
}

/** The label of decisions about tokens that no issuer of the guard vouches for. Tokens can name any issuer. */
const UNKNOWN_ISSUER = "unknown";
/** The label of decisions about tokens of all issuers that the guard has found. Labels need a bounded number of values. */
const FOUND_ISSUERS = "found";

function decisionMetrics(context: PipelineContext): MetricFamily[] {
  const { name: guard, unknownIssuerDecisions, decisionDurations } = context;
  const { configured, found } = context.guardedIssuers;
  const counts = [
    ...configured.map(({ source, decisionCounts }) => ({ issuer: source.issuer, decisionCounts })),
    ...(found === undefined ? [] : [{ issuer: FOUND_ISSUERS, decisionCounts: found.decisionCounts }]),
    { issuer: UNKNOWN_ISSUER, decisionCounts: unknownIssuerDecisions },
  ];
  const decisions = counts.flatMap(({ issuer, decisionCounts }) =>
    [...decisionCounts.decisions()].map(([labels, value]) => ({
      labels: { guard, issuer, ...labels },
      value,
    })),
  );
  const results = new Map<string, { labels: MetricLabels; value: number }>();
  for (const { decisionCounts } of counts) {
    for (const [labels, count] of decisionCounts.results()) {
      const key = `${labels["from"]} ${labels["basis"]}`;
      const value = (results.get(key)?.value ?? 0) + count;
      results.set(key, { labels: { guard, ...labels }, value });
    }
  }
  return [
    metricFamily("counter", "holdfast_guard_decisions_total", "Decisions by status and reason.", decisions),
    metricFamily("counter", "holdfast_guard_findings_total", "Decisions by where their result came from.", [
      ...results.values(),
    ]),
    {
      kind: "histogram",
      name: "holdfast_guard_decision_duration_seconds",
      help: `Time of a decision. Of those from memory, one in ${TIMED_HITS} is timed.`,
      samples: Object.entries(decisionDurations.byOrigin).map(([from, histogram]) =>
        histogram.sample({ guard, from }),
      ),
    },
  ];
}

function memoryMetrics(guard: MetricLabels, memory: GuardStatus["memory"]): MetricFamily[] {
  const kinds = Object.entries(memory);
  const samples = (member: "size" | "bytes" | "maxBytes" | "evictions"): MetricSample[] =>
    kinds.map(([kind, cache]) => ({ labels: { ...guard, kind }, value: cache[member] }));
  return [
    metricFamily("gauge", "holdfast_memory_entries", "Remembered results.", samples("size")),
    metricFamily("gauge", "holdfast_memory_bytes", "Size of the remembered results.", samples("bytes")),
    metricFamily("gauge", "holdfast_memory_limit_bytes", "Limit of that size.", samples("maxBytes")),
    metricFamily(
      "counter",
      "holdfast_memory_evictions_total",
      "Results that were dropped for want of room.",
      samples("evictions"),
    ),
  ];
}

function sharedMetrics(
  guard: MetricLabels,
  shared: GuardStatus["shared"],
  readDurations: Histogram | undefined,
): MetricFamily[] {
  const outcomes = shared === null ? [] : (["hits", "misses", "rejected", "skipped", "lost"] as const);
  const words = { hits: "hit", misses: "miss", rejected: "rejected", skipped: "skipped", lost: "lost" };
  const samples = outcomes.map((outcome) => ({
    labels: { ...guard, outcome: words[outcome] },
    value: shared?.[outcome] ?? 0,
  }));
  const help = "Look-ups in the shared cache by outcome. Lost are answers that could not be written.";
  return [
    metricFamily("counter", "holdfast_shared_requests_total", help, samples),
    {
      kind: "histogram",
      name: "holdfast_shared_request_duration_seconds",
      help: "Time of a read of the shared cache, which serves all tokens of a moment.",
      samples: readDurations === undefined ? [] : [readDurations.sample(guard)],
    },
  ];
}
