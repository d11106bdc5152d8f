import {
  breakerStates,
  issuerStates,
  type frameFields,
  type invalidReasons,
  type issuerFields,
} from "../../dashboard/wire-fields.ts";
import type { MetricLabels } from "../../core/metrics.ts";
import type { GuardStatus, TrustedIssuerStatus } from "../../guard/status-types.ts";
import type { ComponentName, HealthStatus, Outcome, ServiceHealth } from "../health/service-health.ts";
import type { BucketCounts, MetricReadings } from "./metric-readings.ts";
import type { ProcessReadings } from "./process-readings.ts";

/** Everything that a frame is made from. */
export interface Moment {
  readonly metrics: MetricReadings;
  readonly status: GuardStatus;
  /** `null` before the first check. */
  readonly health: ServiceHealth | null;
  readonly process: ProcessReadings;
  /** How many forged tokens the health checks have shown to the guard. They are not the traffic of users. */
  readonly healthProbes: number;
}

type FrameField = (typeof frameFields)[number];
type IssuerField = (typeof issuerFields)[number];
type CounterField = Extract<FrameField, `${string}PerS`>;
type PercentileField = Extract<FrameField, `${string}.p50Ms` | `${string}.p99Ms`>;
type GaugeField = Exclude<FrameField, CounterField | PercentileField>;

/** Something that is counted since the start. */
export type Counter = (moment: Moment) => number;
export type Gauge = (moment: Moment) => number | null;
/** Something that is observed in buckets since the start. */
export type Buckets = (metrics: MetricReadings) => BucketCounts;

const sum =
  (name: string, labels: MetricLabels = {}): Counter =>
  ({ metrics }) =>
    metrics.sum(name, labels);

const total =
  (...counters: readonly Counter[]): Counter =>
  (moment) =>
    counters.reduce((all, counter) => all + counter(moment), 0);

const decisions = (labels: MetricLabels) => sum("holdfast_guard_decisions_total", labels);
const findings = (from: string) => sum("holdfast_guard_findings_total", { from });
const shared = (outcome: string) => sum("holdfast_shared_requests_total", { outcome });
const authority = (labels: MetricLabels) => sum("holdfast_authority_requests_total", labels);
const keyFetches = (labels: MetricLabels) => sum("holdfast_keys_fetches_total", labels);
const logins = (outcome: string) => sum("holdfast_logins_total", { outcome });
const refreshes = (outcome: string) => sum("holdfast_refreshes_total", { outcome });
const storeCommands = (labels: MetricLabels) => sum("holdfast_store_commands_total", labels);
const healthProbes: Counter = ({ healthProbes: count }) => -count;

const authorityFailures = (labels: MetricLabels): Counter =>
  total(...["failed", "unusable", "misconfigured"].map((outcome) => authority({ ...labels, outcome })));

/** Forgeries of the health checks are left out, because an operator would take them for an attack. */
export const counters: Readonly<Record<CounterField, Counter>> = {
  "decisions.validPerS": decisions({ status: "valid" }),
  "decisions.invalidPerS": total(decisions({ status: "invalid" }), healthProbes),
  "decisions.unavailablePerS": decisions({ status: "unavailable" }),
  "decisions.forbiddenPerS": decisions({ status: "forbidden" }),
  "decisions.degradedPerS": decisions({ degraded: "true" }),
  "from.memoryPerS": findings("memory"),
  "from.joinedPerS": findings("joined"),
  "from.verificationPerS": total(findings("verification"), healthProbes),
  "from.sharedPerS": findings("shared"),
  "from.nonePerS": ({ metrics }) =>
    metrics.sum("holdfast_guard_decisions_total") - metrics.sum("holdfast_guard_findings_total"),
  "shared.hitsPerS": shared("hit"),
  "shared.missesPerS": shared("miss"),
  "shared.failedPerS": total(shared("rejected"), shared("skipped"), shared("lost")),
  "authority.requestsPerS": authority({}),
  "authority.failedPerS": authorityFailures({}),
  "keys.fetchesPerS": keyFetches({}),
  "keys.failedPerS": keyFetches({ outcome: "failed" }),
  "memory.evictionsPerS": sum("holdfast_memory_evictions_total"),
  "logins.okPerS": logins("ok"),
  "logins.refusedPerS": logins("refused"),
  "logins.limitedPerS": logins("limited"),
  "logins.unavailablePerS": logins("unavailable"),
  "refreshes.rotatedPerS": total(refreshes("rotated"), refreshes("resumed")),
  "refreshes.repeatedPerS": refreshes("repeated"),
  "refreshes.conflictPerS": refreshes("conflict"),
  "refreshes.reusePerS": refreshes("reuse"),
  "refreshes.refusedPerS": total(
    ...["ended", "unknown", "late", "forked", "invalid_grant"].map((outcome) => refreshes(outcome)),
  ),
  "refreshes.unavailablePerS": refreshes("unavailable"),
  "sessions.startedPerS": sum("holdfast_sessions_started_total"),
  "sessions.endedPerS": sum("holdfast_sessions_ended_total"),
  "store.commandsPerS": storeCommands({}),
  "store.failedPerS": storeCommands({ outcome: "failed" }),
};

export function invalidCounter(reason: (typeof invalidReasons)[number]): Counter {
  const counter = decisions({ status: "invalid", detail: reason });
  return reason === "bad_signature" ? total(counter, healthProbes) : counter;
}

/** The part of a name before `.p50Ms`. `decisions` is combined from the other windows. */
type PercentileName = Exclude<PercentileField extends `${infer Name}.${string}` ? Name : never, "decisions">;

const durations =
  (name: string, labels: MetricLabels = {}): Buckets =>
  (metrics) =>
    metrics.buckets(name, labels);
const decisionDurations = (from: string) => durations("holdfast_guard_decision_duration_seconds", { from });

export const histograms: Readonly<Record<PercentileName, Buckets>> = {
  memory: decisionDurations("memory"),
  joined: decisionDurations("joined"),
  verification: decisionDurations("verification"),
  shared: decisionDurations("shared"),
  authority: durations("holdfast_authority_request_duration_seconds"),
  logins: durations("holdfast_login_duration_seconds"),
  hashes: durations("holdfast_password_hash_duration_seconds"),
  refreshes: durations("holdfast_refresh_duration_seconds"),
  store: durations("holdfast_store_command_duration_seconds"),
};

const gauge =
  (name: string, labels: MetricLabels = {}): Gauge =>
  ({ metrics }) =>
    metrics.value(name, labels);

const healthRank: Readonly<Record<HealthStatus, number>> = { ok: 0, degraded: 1, unavailable: 2 };

const outcome =
  (name: Outcome): Gauge =>
  ({ health }) =>
    rankOf(health?.outcomes[name]?.status);
const component =
  (name: ComponentName): Gauge =>
  ({ health }) =>
    rankOf(health?.components[name]?.status);

function rankOf(status: HealthStatus | undefined): number | null {
  return status === undefined ? null : healthRank[status];
}

export const gauges: Readonly<Record<GaugeField, Gauge>> = {
  "guard.inFlight": ({ status }) => status.inFlight,
  "memory.validEntries": ({ status }) => status.memory.valid.size,
  "memory.validBytes": ({ status }) => status.memory.valid.bytes,
  "memory.invalidEntries": ({ status }) => status.memory.invalid.size,
  "hashes.waiting": gauge("holdfast_password_hashes_waiting"),
  "store.up": gauge("holdfast_store_up"),
  "store.bytes": ({ process }) => process.storeBytes,
  "store.diskFreeBytes": ({ process }) => process.diskFreeBytes,
  "process.rssBytes": ({ process }) => process.rssBytes,
  "process.heapBytes": ({ process }) => process.heapBytes,
  "process.cpuShare": ({ process }) => process.cpuShare,
  "process.loopDelayP99Ms": ({ process }) => process.loopDelayP99Ms,
  "clock.stepS": ({ status }) => status.clockSteppedMs / 1_000,
  "health.service": ({ health }) => rankOf(health?.status),
  "health.login": outcome("login"),
  "health.refresh": outcome("refresh"),
  "health.ownTokens": outcome("ownTokens"),
  "health.providerTokens": outcome("providerTokens"),
  "health.store": component("store"),
  "health.keys": component("keys"),
  "health.revocations": component("revocations"),
  "health.guard": component("guard"),
  "health.clock": component("clock"),
  "health.provider": component("provider"),
};

type IssuerCounterField = Extract<IssuerField, `${string}PerS`>;
type IssuerGaugeField = Exclude<IssuerField, IssuerCounterField | "authorityP99Ms">;

export function issuerCounters(issuer: string): Readonly<Record<IssuerCounterField, Counter>> {
  return {
    keysFailedPerS: keyFetches({ issuer, outcome: "failed" }),
    authorityPerS: authority({ issuer }),
    authorityFailedPerS: authorityFailures({ issuer }),
    degradedPerS: decisions({ issuer, degraded: "true" }),
  };
}

export function issuerDurations(issuer: string): Buckets {
  return durations("holdfast_authority_request_duration_seconds", { issuer });
}

export function issuerGauges(issuer: string, index: number): Readonly<Record<IssuerGaugeField, Gauge>> {
  const of =
    (read: (status: TrustedIssuerStatus) => number | null | undefined): Gauge =>
    ({ status }) => {
      const value = status.issuers[index] === undefined ? null : read(status.issuers[index]);
      return value === undefined || value === null || !Number.isFinite(value) ? null : value;
    };
  return {
    state: of(({ state }) => issuerStates.indexOf(state)),
    keysAgeS: of(({ keys }) => toSeconds(keys.ageMs)),
    breaker: of(({ authority: asked }) => (asked === null ? null : breakerStates.indexOf(asked.breaker))),
    failingS: of(({ authority: asked }) => (asked === null ? null : (asked.failingMs ?? 0) / 1_000)),
    degraded: gauge("holdfast_degraded", { issuer }),
    revocationAgeS: of(({ revocations }) => toSeconds(revocations?.ageMs ?? null)),
    revocations: of(({ revocations }) => revocations?.entries),
  };
}

function toSeconds(ms: number | null): number | null {
  return ms === null ? null : ms / 1_000;
}
