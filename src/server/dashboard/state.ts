import type {
  OtherInstance,
  SigningKey,
  State,
  StoreState,
  TimelineEvent,
} from "../../dashboard/wire-state.ts";
import type { IssuerState } from "../../dashboard/wire-state.ts";
import type { TrustedIssuerStatus } from "../../guard/status-types.ts";
import type { IssuerStatus } from "../../issuer/types.ts";
import type { ServiceHealth } from "../health/service-health.ts";
import type { Service } from "../service.ts";
import type { FallbackPolicy } from "../health/fallback.ts";
import type { Moment } from "./frame-columns.ts";
import type { FrameReader } from "./frame-reader.ts";
import { decisionRates, describeSteps, isDegraded } from "./steps.ts";
import type { StoreCommands } from "./store-commands.ts";
import { describeOutcomes } from "./outcome-words.ts";
import { describeUpstreams } from "./upstreams.ts";

/** The parts that the state is told from. */
export interface StateSources {
  readonly service: Service;
  readonly reader: FrameReader;
  readonly commands: StoreCommands;
  readonly fallback: FallbackPolicy;
  /** The age at which every route refuses a view of revocations. `null` when none does. */
  readonly revocationLimitMs: number | null;
  /** When the view last had a gap, by issuer. */
  readonly lastGaps: ReadonlyMap<string | null, TimelineEvent>;
  readonly others: () => readonly OtherInstance[] | null;
}

/** The state of the service for people. `values` are the columns of the same moment. */
export function describeState(
  sources: StateSources,
  moment: Moment,
  values: readonly (number | null)[],
  health: ServiceHealth,
): State {
  const { service, reader, fallback, revocationLimitMs } = sources;
  const { store, keys } = service.issuer.status();
  const percentile = (field: string) => values[reader.fields.indexOf(field)] ?? null;
  const storeHealth = health.components.store;
  return {
    headline: health.headline,
    outcomes: describeOutcomes(health, moment.status, fallback),
    components: health.components,
    steps: describeSteps({ moment, reader, percentile, fallback }),
    decisions: decisionRates(reader),
    upstreams: describeUpstreams({ moment, fallback, revocationLimitMs, store, storeHealth }),
    issuers: moment.status.issuers.map((issuer) => describeIssuer(sources, moment, issuer)),
    signingKeys: keys.map(describeKey),
    store: describeStore(sources, moment, store),
    repeatDelays: moment.metrics.buckets("holdfast_refreshes_repeat_delay_seconds"),
    // The service itself has no WebSocket endpoint.
    connections: null,
    others: sources.others(),
  };
}

function describeIssuer(
  { fallback, revocationLimitMs, lastGaps }: StateSources,
  moment: Moment,
  { issuer, state, keys, authority, revocations, degradedDecisions }: TrustedIssuerStatus,
): IssuerState {
  const { usable, kids, vanished, ageMs, maxStaleMs, lastError } = keys;
  return {
    issuer,
    state,
    keys: { usable, kids, vanished, ageMs, limitMs: maxStaleMs, lastError },
    authority,
    revocations: revocations && {
      complete: revocations.complete,
      ageMs: Number.isFinite(revocations.ageMs) ? revocations.ageMs : null,
      limitMs: revocationLimitMs,
      entries: revocations.entries,
      gaps: moment.metrics.sum("holdfast_revocation_view_gaps_total", { issuer }),
      lastGapAt: lastGaps.get(issuer)?.at ?? null,
      lastError: revocations.lastError,
    },
    degraded: {
      mode: fallback.mode,
      isDegraded: isDegraded(moment, issuer),
      decisions: degradedDecisions,
      limitMs: fallback.mode === "deny" ? null : fallback.maxMs,
    },
  };
}

function describeKey(key: IssuerStatus["keys"][number]): SigningKey {
  const { kid, algorithm, createdAt, activatedAt, retiredAt } = key;
  const state = retiredAt !== null ? "retired" : activatedAt !== null ? "signing" : "next";
  return { kid, algorithm, state, createdAt, activatedAt, retiredAt };
}

function describeStore(
  { service, commands }: StateSources,
  { metrics, process }: Moment,
  { description, reachable, writeFailure, lastError, clockDifferenceMs }: IssuerStatus["store"],
): StoreState {
  const backupS = metrics.value("holdfast_backup_last_success_timestamp_seconds");
  return {
    description,
    up: reachable && writeFailure === null,
    problem: service.store.problem ?? null,
    lastError: writeFailure?.message ?? lastError,
    bytes: process.storeBytes,
    diskFreeBytes: process.diskFreeBytes,
    lastBackupAt: backupS === null ? null : backupS * 1_000,
    clockDifferenceMs,
    commands: commands.describe(),
  };
}
