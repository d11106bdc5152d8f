/* The state of the service that the dashboard shows: a part of every frame. */
import type { breakerStates, issuerStates } from "./wire-fields.ts";

export type HealthWord = "ok" | "degraded" | "unavailable";
export type Breaker = (typeof breakerStates)[number];
export type IssuerWord = (typeof issuerStates)[number];

export interface State {
  readonly headline: Headline;
  /** The state of each kind of answer. `providerTokens` is present when the service trusts a provider. */
  readonly outcomes: Readonly<Record<string, OutcomeState>>;
  /** The parts: store, keys, revocations, guard, clock, and provider if there is one. */
  readonly components: Readonly<Record<string, ComponentState>>;
  /** Token, memory, verification, shared, authority, degraded, decision. */
  readonly steps: readonly Step[];
  /** The rates over the same ten seconds as those of the steps. */
  readonly decisions: DecisionRates;
  readonly upstreams: readonly Upstream[];
  readonly issuers: readonly IssuerState[];
  readonly signingKeys: readonly SigningKey[];
  readonly store: StoreState;
  /** How long after its rotation a refresh token came back whose answer was lost, since the start. */
  readonly repeatDelays: Buckets;
  /** `null` when this process holds no live connections, as `holdfast serve` never does. */
  readonly connections: ConnectionsState | null;
  /** Other processes on the same store. `null` when the store cannot tell. */
  readonly others: readonly OtherInstance[] | null;
}

/** The same sentence is in `/health` and on the page without JavaScript. */
export interface Headline {
  readonly status: HealthWord;
  /** Names the part that fails and what users notice, such as "Keycloak has not answered for 4 min: …". */
  readonly text: string;
  /** The first thing to look at. `null` when all is well. */
  readonly advice: string | null;
  /** The component, or `answers`. `null` when all is well. */
  readonly part: string | null;
  /** `null` when all is well. */
  readonly since: number | null;
  /** The heading of `ops/runbook.md` that says what to do, such as `HoldfastStoreFailing`. `null` when all is well. */
  readonly runbook: string | null;
}

export interface OutcomeState {
  readonly status: HealthWord;
  /** The components that cause the status, or `answers`. */
  readonly because: readonly string[];
  /** Says what users get in a few words, such as `some routes answer 503`. */
  readonly words: string;
}

/** Decisions in each second. A degraded decision is valid, too. */
export type DecisionRates = Readonly<
  Record<"valid" | "degraded" | "invalid" | "forbidden" | "unavailable", number>
>;

export interface ComponentState {
  readonly status: HealthWord;
  readonly reason: string | null;
  readonly detail: string;
  /** A sentence on what users notice. */
  readonly effect: string | null;
  readonly since: number;
  readonly lastOkAt: number | null;
}

export type StepName = "token" | "memory" | "verification" | "shared" | "authority" | "degraded" | "decision";

/** `idle`: it works and had nothing to do. `off`: it is not configured. */
export type StepWord = "ok" | "idle" | "off" | "degraded" | "failing";

/** One step of a validation. */
export interface Step {
  readonly name: StepName;
  readonly state: StepWord;
  /** Says the state in a few words, such as `breaker open` or `not configured`. */
  readonly words: string;
  /** Tokens that pass through this step, over the last ten seconds. */
  readonly perS: number;
  /** `null` when there was nothing to measure. */
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
}

/** A server or file that the service depends on. */
export interface Upstream {
  /** Stable and unique. */
  readonly id: string;
  readonly kind: "keys" | "authority" | "revocations" | "store" | "shared";
  /** For people: an issuer, or the description of the store. */
  readonly name: string;
  readonly state: "ok" | "degraded" | "failing";
  readonly words: string;
  /** `null` when it has no breaker. */
  readonly breaker: Breaker | null;
  /** How old the last good copy is, or how long it has not answered. `null` while it has no such age. */
  readonly age: AgeAgainstLimit | null;
  readonly lastError: string | null;
}

export interface AgeAgainstLimit {
  readonly ageMs: number;
  /** `words` say what happens at the limit. `null` without a limit. */
  readonly limitMs: number | null;
  /** Such as `after 24 h without a fetch, its tokens answer 503`. */
  readonly words: string;
}

export interface IssuerState {
  readonly issuer: string;
  readonly state: IssuerWord;
  readonly keys: {
    readonly usable: boolean;
    readonly kids: readonly string[];
    /** Keys that left the set and still serve for a bounded time. */
    readonly vanished: readonly string[];
    /** `null` for configured keys. */
    readonly ageMs: number | null;
    readonly limitMs: number | null;
    readonly lastError: string | null;
  };
  /** `null` without an authority. */
  readonly authority: {
    readonly kind: string;
    readonly breaker: Breaker;
    readonly failingMs: number | null;
    readonly retryAfterMs: number;
    readonly softTimeoutMs: number;
    readonly inFlight: number;
    /** `authority_misconfigured` when it refuses this service itself. `null` while it answers. */
    readonly cause: string | null;
    readonly lastError: string | null;
  } | null;
  /** `null` without a revocation log. */
  readonly revocations: {
    readonly complete: boolean;
    /** `null` when the view was never complete. */
    readonly ageMs: number | null;
    readonly limitMs: number | null;
    readonly entries: number;
    readonly gaps: number;
    /** When the last gap was seen. `null` when none was. */
    readonly lastGapAt: number | null;
    readonly lastError: string | null;
  } | null;
  readonly degraded: {
    readonly mode: "deny" | "cached" | "local";
    readonly isDegraded: boolean;
    readonly decisions: number;
    readonly limitMs: number | null;
  };
}

/** A signing key of the service. */
export interface SigningKey {
  readonly kid: string;
  readonly algorithm: string;
  readonly state: "next" | "signing" | "retired";
  readonly createdAt: number;
  readonly activatedAt: number | null;
  readonly retiredAt: number | null;
}

export interface StoreState {
  readonly description: string;
  readonly up: boolean;
  readonly problem: string | null;
  readonly lastError: string | null;
  /** `null` when the store does not tell. */
  readonly bytes: number | null;
  readonly diskFreeBytes: number | null;
  readonly lastBackupAt: number | null;
  readonly clockDifferenceMs: number;
  /** Latency by the part of the store, over the last ten seconds. */
  readonly commands: readonly {
    readonly command: string;
    readonly perS: number;
    readonly failedPerS: number;
    readonly p50Ms: number | null;
    readonly p99Ms: number | null;
  }[];
}

/** Observations by their upper bounds in seconds. The last count has no bound. */
export interface Buckets {
  readonly bounds: readonly number[];
  readonly counts: readonly number[];
}

export interface ConnectionsState {
  readonly open: number;
  readonly pending: number;
  readonly degraded: number;
  readonly limit: number;
  readonly closed: readonly { readonly code: string; readonly words: string; readonly count: number }[];
  readonly closeDelays: Buckets;
}

export interface OtherInstance {
  readonly host: string;
  readonly version: string;
  /** The address of its admin listener. It may be reachable from its own machine only. */
  readonly admin: string;
  readonly seenAt: number;
}

/** Something that happened, on the timeline. */
export interface TimelineEvent {
  /** Grows with every event of a process. */
  readonly seq: number;
  readonly at: number;
  readonly source: "guard" | "issuer" | "store" | "audit" | "process" | "health";
  /** The name of the event, such as `breaker_opened`, or the kind of an audit event. */
  readonly kind: string;
  /** `alarm`: an operator should look. `good`: a fault has ended. */
  readonly tone: "info" | "good" | "warning" | "alarm";
  /** The issuer that it concerns. `null` for all. */
  readonly issuer: string | null;
  readonly message: string;
  /** How many more of the same kind came in this second and are left out. */
  readonly omitted: number;
  /** `null` unless `source` is `audit`. */
  readonly audit: AuditRow | null;
}

export interface AuditRow {
  readonly at: number;
  readonly kind: string;
  readonly subject: string | null;
  readonly session: string | null;
  readonly source: string | null;
  readonly actor: string | null;
  readonly detail: string | null;
}
