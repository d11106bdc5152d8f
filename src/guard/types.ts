import type { Clock } from "../core/clock.ts";
import type { CallOptions, DegradedMode, Rules } from "../core/rules.ts";
import type { Decision, JwtClaims, Verdict } from "../core/verdict.ts";
import type { RevocationFeed, SharedAnswersSource, Snapshots } from "../stores/store.ts";
import type { Algorithm } from "../jwt/algorithms.ts";
import type { AuthoritySource, AuthorityStatus } from "./authority/authority.ts";
import type { KeySource, KeysStatus } from "./keys/key-source.ts";

/** Whose tokens are accepted, and what they must be like. Nothing of it is shared between two issuers. */
export interface TrustedIssuer {
  /** Exact `iss` of the tokens accepted. */
  issuer: string;
  /** Accepted `aud`: one of these must be among the token's. Required; `null` skips the check knowingly. */
  audience: string | readonly string[] | null;
  /** `jwks(url)`, `staticKeys(jwkSet)`, `sharedSecret(bytes, alg)` or, by default, `discovered()`. */
  keys?: KeySource;
  /** Who is asked about each token besides: `introspection({ … })` or `tokenValidation({ … })`. Default: nobody. */
  authority?: AuthoritySource;
  /** Where revocations come from; an issuer's `.revocations`. Without it `revocationAgeMs` is `null`. */
  revocations?: RevocationFeed;
  /** Accepted signature algorithms. By default every asymmetric one; `sharedSecret` brings its own. */
  algorithms?: readonly Algorithm[];
  /** Accepted `typ`, compared without case and without `application/`. Default `["at+jwt", "jwt"]`; a token without `typ` passes unless `requireTyp`. */
  types?: readonly string[];
  requireTyp?: boolean;
  /** Claims that must be there besides `iss`, `aud` and `exp`. Default `["sub"]`. */
  requiredClaims?: readonly string[];
  /** Accept tokens that never expire. Default false. */
  allowMissingExp?: boolean;
}

export interface CommonGuardOptions {
  /** Without the authority's answer. Default `"deny"`; `maxMs` bounds how long an outage is bridged, default 3,600,000. */
  degraded?: DegradedMode | { mode: DegradedMode; maxMs?: number };
  /** How far clocks may differ, for `exp`, `nbf` and `iat`. Default 5,000; at most 300,000. */
  clockToleranceMs?: number;
  /** Default 16,384. */
  maxTokenBytes?: number;
  /** Findings kept, an authority's answers among them. Defaults: 64 MiB, 5 minutes; invalid ones get `maxBytes / 16`. */
  memory?: { maxBytes?: number; ttlMs?: number };
  /** Where instances share what the authority answered: `redisAnswers({ … })`. Default: nowhere. */
  shared?: SharedAnswersSource;
  /** How often a revocation feed is asked when it says nothing by itself. Default 250. */
  revocationPollMs?: number;
  /** How old the complete view of revocations may be. Default 60,000 under `deny`, else the bound of `degraded`. */
  maxRevocationAgeMs?: number;
  /** How many revocations are held for each issuer; with more in the log the view is not complete. Default 1,000,000. */
  maxRevocations?: number;
  /**
   * Where the last good keys and the last view of revocations are kept over restarts: `fileSnapshots({ dir })`. Guards
   * that share one need names of their own.
   */
  snapshots?: Snapshots;
  /** Names the guard in events and metrics. Default `"guard"`. */
  name?: string;
  clock?: Clock;
  random?: () => number;
}

export interface SingleIssuerOptions extends CommonGuardOptions, TrustedIssuer {
  issuers?: undefined;
}

interface SeveralIssuersOptions extends CommonGuardOptions, Partial<Record<keyof TrustedIssuer, undefined>> {
  /** Several issuers behind one guard. A token's `iss` picks; what ails one does not touch the others. */
  issuers: readonly TrustedIssuer[];
}

export type GuardOptions = SingleIssuerOptions | SeveralIssuersOptions;

/** A token that was let in for longer than a request: a connection, a stream, a long job. */
export interface Admission<C = JwtClaims> {
  readonly status: "admitted";
  /** Whether an authority is to be asked about it now and then. */
  readonly hasAuthority: boolean;
  /** The decision as of now, by what this instance knows. Nobody is asked, so it costs about a microsecond. */
  current(): Decision<C>;
  /**
   * Decides on the token again, asking its authority when the last answer is over. Unavailable changes nothing: what
   * was known still counts for `current`. Rejects only with the reason of the caller's own signal.
   */
  recheck(call?: CallOptions): Promise<Decision<C>>;
}

export interface Guard<C = JwtClaims> {
  readonly name: string;
  /** Finds out about the token. Rejects only with the reason of the caller's own signal. */
  validate(token: string, call?: CallOptions): Promise<Verdict<C>>;
  /** The same under a route's rules. Rejects with `invalid_option` for rules that are none. */
  authorize(token: string, rules?: Rules & CallOptions): Promise<Decision<C>>;
  /** The same for what lasts longer than a request: `holdfast/connections` stands on it. */
  admit(
    token: string,
    rules?: Rules & CallOptions,
  ): Promise<Admission<C> | Exclude<Decision<C>, { status: "valid" }>>;
  /** Calls `listener` whenever something was revoked that was not before. The returned function ends that. */
  watch(listener: () => void): () => void;
  status(): GuardStatus;
  /**
   * Resolves once every issuer, or the one named, has keys, a complete view of revocations and an authority that answered
   * (or may be done without); rejects with `not_ready` after `timeoutMs` (default 5,000), or with `closed`.
   */
  ready(options?: { timeoutMs?: number; issuer?: string } & CallOptions): Promise<void>;
  /** The issuer's signing keys may be known to others: what they proved no longer counts, and the set is fetched at once. `issuer` may be left out where there is one. */
  distrustKeys(issuer?: string): void;
  /** Opens or closes the breaker of the issuer's authority by hand; `null` gives it back to itself. */
  forceBreaker(state: "open" | "closed" | null, issuer?: string): void;
  /** Gives up what is under way, stops timers and subscriptions. Calls are `unavailable` then, cause `closed`. */
  close(): Promise<void>;
}

export interface CacheStatus {
  readonly hits: number;
  readonly misses: number;
  readonly size: number;
  readonly bytes: number;
}

/** What instances share. Whatever fails there is skipped. */
export interface SharedStatus {
  readonly description: string;
  readonly breaker: AuthorityStatus["breaker"];
  readonly hits: number;
  readonly misses: number;
  /** Found, and not believed: none of ours, past its time or from the future. */
  readonly rejected: number;
  /** Not read, because it does not answer. */
  readonly skipped: number;
  /** Answers that could not be written. */
  readonly lost: number;
  /** Read when the guard began. */
  readonly warmed: number;
  readonly lastError: string | null;
}

export interface RevocationsStatus {
  readonly complete: boolean;
  /** Since the view was last known to be complete; `Infinity` when it never was. */
  readonly ageMs: number;
  readonly entries: number;
  readonly seq: number;
  readonly lastError: string | null;
}

/**
 * `ready` and `degraded`: a good token gets a definite answer; degraded, while something behind that ails.
 * `starting` and `unavailable`: none does, not yet or not any more.
 */
export type GuardState = "starting" | "ready" | "degraded" | "unavailable";

export interface TrustedIssuerStatus {
  readonly issuer: string;
  readonly state: GuardState;
  readonly keys: KeysStatus;
  /** `null` where nobody is asked. */
  readonly authority: AuthorityStatus | null;
  /** `null` without a log. */
  readonly revocations: RevocationsStatus | null;
  /** Decisions made without the authority since the guard began. */
  readonly degradedDecisions: number;
}

export interface GuardStatus {
  readonly name: string;
  /** `ready` when every issuer is, `unavailable` or `starting` when none serves, else `degraded`. */
  readonly state: GuardState | "closed";
  readonly issuers: readonly TrustedIssuerStatus[];
  readonly memory: { readonly valid: CacheStatus; readonly invalid: CacheStatus };
  /** `null` where nothing is shared. */
  readonly shared: SharedStatus | null;
  /** Proofs and questions under way. */
  readonly inFlight: number;
  /** How far the wall clock is from where the monotonic one expects it; 0 unless it jumped. */
  readonly clockSteppedMs: number;
}
