import type { AuthorityStatus } from "./authority/authority.ts";
import type { KeysStatus } from "./keys/key-source.ts";

/** Counts of a cache since the guard was created. */
export interface CacheStatus {
  readonly hits: number;
  readonly misses: number;
  readonly size: number;
  readonly bytes: number;
  readonly maxBytes: number;
  /** Entries that were dropped for want of room. */
  readonly evictions: number;
}

/** The state of the shared cache. The guard skips it while it fails. */
export interface SharedStatus {
  readonly description: string;
  readonly breaker: AuthorityStatus["breaker"];
  readonly hits: number;
  readonly misses: number;
  /** Entries that were found and rejected: not sealed with our secret, expired, or from the future. */
  readonly rejected: number;
  /** Look-ups that were skipped while the cache did not answer. */
  readonly skipped: number;
  /** Answers that could not be written to the cache. */
  readonly lost: number;
  /** Entries that were read when the guard started. */
  readonly warmed: number;
  readonly lastError: string | null;
}

/** The state of the view of revocations. */
export interface RevocationsStatus {
  readonly complete: boolean;
  /** Milliseconds since the view was last complete. `Infinity` when it never was. */
  readonly ageMs: number;
  readonly entries: number;
  /** The sequence number up to which the view is complete. 0 while it has no place in the log. */
  readonly seq: number;
  readonly lastError: string | null;
}

/**
 * A good token gets a definite answer in `ready` and `degraded`; `degraded` means that a part has a fault. In `starting`
 * the guard cannot decide yet, in `unavailable` it cannot decide any more.
 */
export type GuardState = "starting" | "ready" | "degraded" | "unavailable";

/** The state of the issuers that a guard has found by `issuerFor` or by a pattern with `"any"`. */
export interface FoundIssuersStatus {
  /** The issuers in memory that a key has verified a token of. */
  readonly proven: number;
  /** The issuers in memory that have no verified token yet. Anyone can make up such an issuer. */
  readonly unproven: number;
  /** Why the last call of `issuerFor` failed. `null` when it succeeded. */
  readonly lastError: string | null;
}

/** The state of one issuer's parts. */
export interface TrustedIssuerStatus {
  readonly issuer: string;
  readonly state: GuardState;
  readonly keys: KeysStatus;
  /** `null` without an authority. */
  readonly authority: AuthorityStatus | null;
  /** `null` without a revocation log. */
  readonly revocations: RevocationsStatus | null;
  /** Decisions without the authority since the guard was created. */
  readonly degradedDecisions: number;
  /**
   * How far the clock of this process is ahead of that of the issuer's servers, by the header `Date` of their responses, in
   * milliseconds. Negative when it is behind, 0 when they agree within five seconds. `null` without such a header.
   */
  readonly clockDifferenceMs: number | null;
}

/**
 * The state of a guard and its parts, from `guard.status()`.
 *
 * @example
 * ```ts
 * import type { Guard } from "holdfast";
 *
 * declare const guard: Guard;
 *
 * const { state, issuers, memory } = guard.status();
 * console.log(state, memory.valid.hits);
 * for (const { issuer, authority } of issuers) console.log(issuer, authority?.breaker ?? "no authority");
 * ```
 */
export interface GuardStatus {
  readonly name: string;
  /** `ready` when every issuer is ready, `starting` or `unavailable` when no issuer can decide, else `degraded`. */
  readonly state: GuardState | "closed";
  /** The configured issuers. A pattern whose tenants share a key set has an entry under its own name. */
  readonly issuers: readonly TrustedIssuerStatus[];
  /** `null` without `issuerFor` and patterns with `"any"`. These issuers do not change `state`. */
  readonly foundIssuers: FoundIssuersStatus | null;
  readonly memory: { readonly valid: CacheStatus; readonly invalid: CacheStatus };
  /** `null` without a shared cache. */
  readonly shared: SharedStatus | null;
  /** Verifications and calls to authorities in flight. */
  readonly inFlight: number;
  /** How far the wall clock is ahead of the monotonic clock, in milliseconds. 0 unless it was set by a second or more. */
  readonly clockSteppedMs: number;
}
