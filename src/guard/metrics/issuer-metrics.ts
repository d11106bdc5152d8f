import { metricFamily, type MetricFamily, type MetricLabels, type MetricSample } from "../../core/metrics.ts";
import { breakerMetrics, type ObservedBreaker } from "./breaker-metrics.ts";
import type { GuardedIssuer } from "../issuers/guarded-issuer.ts";
import type { PipelineContext } from "../pipeline/context.ts";
import type { GuardStatus, TrustedIssuerStatus } from "../status-types.ts";

interface IssuerFacts {
  readonly labels: MetricLabels;
  readonly issuer: GuardedIssuer;
  readonly status: TrustedIssuerStatus;
}

type ReadSamples = (facts: IssuerFacts) => readonly MetricSample[];

type MakeFamily = (kind: "counter" | "gauge", name: string, help: string, read: ReadSamples) => MetricFamily;

/** The metrics of a guard's issuers: keys, authorities, degraded mode and revocations. */
export function issuerMetrics(context: PipelineContext, status: GuardStatus): MetricFamily[] {
  const all = context.guardedIssuers.configured.flatMap((issuer, index): IssuerFacts[] => {
    const own = status.issuers[index];
    const labels = { guard: context.name, issuer: issuer.source.issuer };
    return own === undefined ? [] : [{ labels, issuer, status: own }];
  });
  const family = familiesOf(all);
  return [
    family("gauge", "holdfast_guard_state", "1 for the state of the issuer's parts.", (facts) =>
      oneOf(facts.labels, ["starting", "ready", "degraded", "unavailable"], facts.status.state),
    ),
    family("counter", "holdfast_guard_events_total", "Events of `holdfast:guard`.", (facts) => events(facts)),
    ...keyMetrics(all),
    ...authorityMetrics(
      context,
      all.filter(({ issuer }) => issuer.authority !== undefined),
    ),
    ...revocationMetrics(family),
  ];
}

function familiesOf(all: readonly IssuerFacts[]): MakeFamily {
  return (kind, name, help, read) => metricFamily(kind, name, help, all.flatMap(read));
}

function keyMetrics(all: readonly IssuerFacts[]): MetricFamily[] {
  // Configured keys have no age and are not fetched.
  const fetched = all.filter(({ status }) => status.keys.maxStaleMs !== null);
  const family = familiesOf(fetched);
  return [
    family(
      "gauge",
      "holdfast_keys_age_seconds",
      "Time since the key set was fetched.",
      ({ labels, status }) => seconds(labels, status.keys.ageMs),
    ),
    family(
      "gauge",
      "holdfast_keys_limit_seconds",
      "The age at which the key set is no longer used.",
      (facts) => seconds(facts.labels, facts.status.keys.maxStaleMs),
    ),
    familiesOf(all)("gauge", "holdfast_keys", "Keys by state.", ({ labels, status: { keys } }) => [
      { labels: { ...labels, state: "current" }, value: keys.kids.length },
      { labels: { ...labels, state: "vanished" }, value: keys.vanished.length },
    ]),
    family("counter", "holdfast_keys_fetches_total", "Fetches of the key set.", ({ labels, issuer }) =>
      outcomes(labels, issuer.keyRequests.outcomes.entries()),
    ),
    {
      kind: "histogram",
      name: "holdfast_keys_fetch_duration_seconds",
      help: "Time of a fetch of the key set.",
      samples: fetched.map(({ labels, issuer }) => issuer.keyRequests.durations.sample(labels)),
    },
  ];
}

/** The breakers of the authorities, and that of the shared cache. */
function observedBreakers(
  { name, sharedCache, eventCounts }: PipelineContext,
  all: readonly IssuerFacts[],
): ObservedBreaker[] {
  const breakers = all.flatMap(({ labels, issuer, status: { authority } }): ObservedBreaker[] => {
    if (authority === null) return [];
    const { eventCounts: counts } = issuer.source;
    return [{ labels, upstream: "authority", state: authority.breaker, counts }];
  });
  if (sharedCache === undefined) return breakers;
  const { breaker: state } = sharedCache.status();
  const labels = { guard: name, issuer: "all" };
  return [...breakers, { labels, upstream: "shared", state, counts: eventCounts }];
}

/** `all` are the issuers with an authority. */
function authorityMetrics(context: PipelineContext, all: readonly IssuerFacts[]): MetricFamily[] {
  const { fallback } = context;
  const family = familiesOf(all);
  return [
    family(
      "counter",
      "holdfast_authority_requests_total",
      "Requests to the authority, with probes.",
      (facts) => outcomes(facts.labels, facts.issuer.authorityRequests.outcomes.entries()),
    ),
    {
      kind: "histogram",
      name: "holdfast_authority_request_duration_seconds",
      help: "Time of a request to the authority, from its last attempt on.",
      samples: all.map(({ labels, issuer }) => issuer.authorityRequests.durations.sample(labels)),
    },
    ...breakerMetrics(observedBreakers(context, all)),
    family("gauge", "holdfast_degraded", "1 while tokens are accepted without the authority.", (facts) => [
      { labels: facts.labels, value: facts.issuer.degradedMonitor.isDegraded ? 1 : 0 },
    ]),
    family("gauge", "holdfast_degraded_age_seconds", "How long the authority has not answered.", (facts) =>
      seconds(facts.labels, facts.status.authority?.failingMs ?? 0),
    ),
    family("gauge", "holdfast_degraded_limit_seconds", "How long it may not answer.", ({ labels }) =>
      seconds(labels, fallback.maxMs),
    ),
    family("counter", "holdfast_degraded_decisions_total", "Decisions without the authority.", (facts) => [
      { labels: facts.labels, value: facts.status.degradedDecisions },
    ]),
  ];
}

function revocationMetrics(family: MakeFamily): MetricFamily[] {
  return [
    family("gauge", "holdfast_revocation_view_age_seconds", "Time since the view was complete.", (facts) =>
      seconds(facts.labels, facts.status.revocations && facts.status.revocations.ageMs),
    ),
    family("gauge", "holdfast_revocation_view_complete", "1 while no revocation is missing.", (facts) => {
      const { revocations } = facts.status;
      return revocations === null ? [] : [{ labels: facts.labels, value: revocations.complete ? 1 : 0 }];
    }),
    family("gauge", "holdfast_revocation_view_entries", "Revocations in force.", ({ labels, issuer }) => [
      { labels, value: issuer.revocationView.size },
    ]),
    family("counter", "holdfast_revocation_view_gaps_total", "Gaps in the log.", ({ labels, issuer }) => [
      { labels, value: issuer.source.eventCounts.count("revocations_gap") },
    ]),
    family(
      "counter",
      "holdfast_revocations_applied_total",
      "Revocations that were new.",
      ({ labels, issuer }) =>
        Object.entries(issuer.revocationView.applied).map(([kind, value]) => ({
          labels: { ...labels, kind },
          value,
        })),
    ),
  ];
}

function events({ labels, issuer }: IssuerFacts): MetricSample[] {
  return issuer.source.eventCounts
    .entries()
    .map(([event, value]) => ({ labels: { ...labels, event }, value }));
}

function outcomes(labels: MetricLabels, counts: readonly [outcome: string, count: number][]): MetricSample[] {
  return counts.map(([outcome, value]) => ({ labels: { ...labels, outcome }, value }));
}

/** One sample, in seconds. None for `null`. */
function seconds(labels: MetricLabels, ms: number | null): MetricSample[] {
  return ms === null ? [] : [{ labels, value: ms / 1_000 }];
}

/** A sample for each state: 1 for the current one, 0 for the others. */
function oneOf(labels: MetricLabels, states: readonly string[], current: string): MetricSample[] {
  return states.map((state) => ({ labels: { ...labels, state }, value: state === current ? 1 : 0 }));
}
