import type { Clock } from "../core/clock.ts";
import type { Decision, JwtClaims, Verdict } from "../core/verdict.ts";
import type { RevocationFeed, Snapshots } from "../stores/contracts.ts";
import type { Algorithm } from "../jwt/algorithms.ts";
import type { KeySource, KeysStatus } from "./keys/key-source.ts";

export interface GuardOptions {
  /** Exact `iss` of the tokens accepted. */
  issuer: string;
  /** Accepted `aud`: one of these must be among the token's. Required; `null` skips the check knowingly. */
  audience: string | readonly string[] | null;
  /** `jwks(url)`, `staticKeys(jwkSet)` or `sharedSecret(bytes, alg)`. */
  keys: KeySource;
  /** Accepted signature algorithms. By default every asymmetric one; `sharedSecret` brings its own. */
  algorithms?: readonly Algorithm[];
  /** Accepted `typ`, compared without case and without `application/`. Default `["at+jwt", "jwt"]`; a token without `typ` passes unless `requireTyp`. */
  types?: readonly string[];
  requireTyp?: boolean;
  /** Claims that must be there besides `iss`, `aud` and `exp`. Default `["sub"]`. */
  requiredClaims?: readonly string[];
  /** Accept tokens that never expire. Default false. */
  allowMissingExp?: boolean;
  /** How far clocks may differ, for `exp`, `nbf` and `iat`. Default 5,000; at most 300,000. */
  clockToleranceMs?: number;
  /** Default 16,384. */
  maxTokenBytes?: number;
  /** Findings kept. Defaults: 64 MiB, 5 minutes; invalid ones get `maxBytes / 16`. */
  memory?: { maxBytes?: number; ttlMs?: number };
  /** Where revocations come from; an issuer's `.revocations`. Without it `revocationAgeMs` is `null`. */
  revocations?: RevocationFeed;
  /** How often the feed is asked when it says nothing by itself. Default 250. */
  revocationPollMs?: number;
  /** How old the complete view of revocations may be. Default 60,000. */
  maxRevocationAgeMs?: number;
  /** How many revocations are held; with more in the log the view is not complete. Default 1,000,000. */
  maxRevocations?: number;
  /** Where the last good keys are kept over restarts: `fileSnapshots({ dir })`. */
  snapshots?: Snapshots;
  /** Names the guard in events and metrics. Default `"guard"`. */
  name?: string;
  clock?: Clock;
  random?: () => number;
}

/** A route's rules. They narrow the guard's policy, never widen it. */
export interface Rules {
  /** All of these must be granted, else `forbidden`. */
  scopes?: readonly string[];
  maxRevocationAgeMs?: number;
}

export interface Call {
  signal?: AbortSignal | undefined;
}

export interface Guard<C = JwtClaims> {
  readonly name: string;
  /** Proves the token. Rejects only with the reason of the caller's own signal. */
  validate(token: string, call?: Call): Promise<Verdict<C>>;
  /** The same under a route's rules. Rejects with `invalid_option` for rules that are none. */
  authorize(token: string, rules?: Rules & Call): Promise<Decision<C>>;
  status(): GuardStatus;
  /** Resolves once there are keys and a complete view of revocations; rejects with `not_ready` after `timeoutMs` (default 5,000), or with `closed`. */
  ready(options?: { timeoutMs?: number } & Call): Promise<void>;
  /** Gives up what is under way, stops timers and subscriptions. Calls are `unavailable` then, cause `closed`. */
  close(): Promise<void>;
}

export interface CacheStatus {
  readonly hits: number;
  readonly misses: number;
  readonly size: number;
  readonly bytes: number;
}

export interface RevocationsStatus {
  readonly complete: boolean;
  /** Since the view was last known to be complete; `Infinity` when it never was. */
  readonly ageMs: number;
  readonly entries: number;
  readonly seq: number;
  readonly lastError: string | null;
}

export interface GuardStatus {
  readonly name: string;
  readonly state: "starting" | "ready" | "degraded" | "unavailable" | "closed";
  readonly issuer: string;
  readonly keys: KeysStatus;
  /** `null` without a log. */
  readonly revocations: RevocationsStatus | null;
  readonly memory: { readonly valid: CacheStatus; readonly invalid: CacheStatus };
  /** Proofs under way. */
  readonly inFlight: number;
}
