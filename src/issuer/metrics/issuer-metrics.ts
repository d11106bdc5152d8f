import {
  metricFamily,
  type Counts,
  type MetricFamily,
  type MetricLabels,
  type MetricSample,
  type RequestCounts,
} from "../../core/metrics.ts";
import type { IssuerContext } from "../context.ts";
import type { IssuerStatus } from "../types.ts";

type StoreHealth = Pick<IssuerStatus["store"], "reachable" | "writeFailure">;

/** The metrics of an issuer and of its store, as they are now. */
export function issuerMetrics(ctx: IssuerContext, store: StoreHealth): readonly MetricFamily[] {
  const issuer = { issuer: ctx.config.name };
  return [
    ...requestMetrics(issuer, ctx.counts.logins, {
      total: ["holdfast_logins_total", "Logins by outcome."],
      durations: ["holdfast_login_duration_seconds", "Time of a login, with its wait for a place."],
    }),
    {
      kind: "histogram",
      name: "holdfast_password_hash_duration_seconds",
      help: "Time of a password hash, with its wait for a place.",
      samples: [ctx.passwords.durations.sample(issuer)],
    },
    metricFamily("gauge", "holdfast_password_hashes_waiting", "Passwords that wait for a place.", [
      { labels: issuer, value: ctx.passwords.waitingCount },
    ]),
    ...authenticateMetrics(issuer, ctx),
    ...requestMetrics(issuer, ctx.counts.refreshes, {
      total: ["holdfast_refreshes_total", "Refreshes by outcome."],
      durations: ["holdfast_refresh_duration_seconds", "Time of a refresh."],
    }),
    {
      kind: "histogram",
      name: "holdfast_refreshes_repeat_delay_seconds",
      help: "How long after its rotation a token came back whose answer was lost.",
      samples: [ctx.counts.repeatDelays.sample(issuer)],
    },
    metricFamily("counter", "holdfast_sessions_started_total", "Sessions that began.", [
      { labels: issuer, value: ctx.counts.sessionsStarted },
    ]),
    counted("holdfast_sessions_ended_total", "Live sessions that ended, by reason.", issuer, {
      label: "reason",
      counts: ctx.counts.sessionsEnded,
    }),
    counted("holdfast_audit_events_total", "Audit events, with those that were only counted.", issuer, {
      label: "kind",
      counts: ctx.counts.auditEvents,
    }),
    metricFamily("gauge", "holdfast_signing_key_age_seconds", "Age of the newest key by state.", [
      ...signingKeyAges(issuer, ctx),
    ]),
    ...storeMetrics(ctx, store),
  ];
}

function authenticateMetrics(issuer: MetricLabels, ctx: IssuerContext): MetricFamily[] {
  const { runningCount, waitingCount, refusedCount } = ctx.authenticateCalls;
  return [
    metricFamily("gauge", "holdfast_authenticate_calls", "Calls of `authenticate` that run.", [
      { labels: issuer, value: runningCount },
    ]),
    metricFamily("gauge", "holdfast_authenticate_waiting", "Logins that wait for a place.", [
      { labels: issuer, value: waitingCount },
    ]),
    metricFamily("counter", "holdfast_authenticate_refused_total", "Logins that got no place.", [
      { labels: issuer, value: refusedCount },
    ]),
  ];
}

function requestMetrics(
  labels: MetricLabels,
  counts: RequestCounts,
  names: Readonly<Record<"total" | "durations", readonly [name: string, help: string]>>,
): MetricFamily[] {
  const [name, help] = names.durations;
  return [
    counted(...names.total, labels, { label: "outcome", counts: counts.outcomes }),
    { kind: "histogram", name, help, samples: [counts.durations.sample(labels)] },
  ];
}

function counted(
  name: string,
  help: string,
  labels: MetricLabels,
  { label, counts }: { readonly label: string; readonly counts: Counts },
): MetricFamily {
  const samples = counts.entries().map(([word, value]) => ({ labels: { ...labels, [label]: word }, value }));
  return metricFamily("counter", name, help, samples);
}

/** A published key waits for its turn, the active one signs, and a retired one only verifies. */
function* signingKeyAges(labels: MetricLabels, { keys, clock }: IssuerContext): Generator<MetricSample> {
  const now = clock.now();
  const states = { published: [], active: [], retired: [] } as Record<string, number[]>;
  for (const { createdAt, activatedAt, retiredAt } of keys.list()) {
    const state = retiredAt !== null ? "retired" : activatedAt !== null ? "active" : "published";
    states[state]?.push(retiredAt ?? activatedAt ?? createdAt);
  }
  for (const [state, times] of Object.entries(states)) {
    if (times.length === 0) continue;
    yield { labels: { ...labels, state }, value: Math.max(0, now - Math.max(...times)) / 1_000 };
  }
}

function storeMetrics(ctx: IssuerContext, { reachable, writeFailure }: StoreHealth): MetricFamily[] {
  const store = { store: ctx.store.description };
  const parts = [...ctx.counts.storeCommands];
  return [
    metricFamily(
      "gauge",
      "holdfast_store_up",
      "0 while the store does not answer, or its last write failed.",
      [{ labels: store, value: reachable && writeFailure === null ? 1 : 0 }],
    ),
    metricFamily(
      "counter",
      "holdfast_store_commands_total",
      "Commands to the store, by its part.",
      parts.flatMap(([command, { outcomes }]) =>
        outcomes.entries().map(([outcome, value]) => ({ labels: { ...store, command, outcome }, value })),
      ),
    ),
    {
      kind: "histogram",
      name: "holdfast_store_command_duration_seconds",
      help: "Time of a command.",
      samples: parts.map(([command, { durations }]) => durations.sample({ ...store, command })),
    },
    ...(ctx.store.metrics?.() ?? []),
  ];
}
