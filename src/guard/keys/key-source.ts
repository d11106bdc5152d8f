import type { RequestCounts } from "../../core/metrics.ts";
import type { Clock, Instant } from "../../core/clock.ts";
import type { InvalidVerdict, UnavailableVerdict } from "../../core/verdict.ts";
import type { Algorithm } from "../../jwt/algorithms.ts";
import type { VerificationKey } from "../../jwt/jwk-set.ts";
import type { ParsedToken } from "../../jwt/parse.ts";
import type { Snapshots } from "../../stores/store.ts";
import type { GuardEventSource } from "../emit.ts";
import type { ServerDate } from "../server-date.ts";
import type { HostRequests } from "./host-limits.ts";

/** The arguments that a guard opens a key source with. */
export interface KeyContext extends GuardEventSource {
  readonly issuer: string;
  /** `undefined` when the guard accepts the default algorithms of the source. */
  readonly algorithms: readonly Algorithm[] | undefined;
  readonly clock: Clock;
  /** Returns a number from 0 to 1, for jitter. */
  readonly random: () => number;
  readonly snapshots: Snapshots | undefined;
  /** The place of the source among several of one issuer. Default 0. */
  readonly part?: number;
  /** Limits by host, which all issuers of a guard share. `undefined` outside of a guard. */
  readonly hosts?: HostRequests | undefined;
  /** Counts the requests, for the metrics of the guard. `undefined` outside of a guard. */
  readonly requests?: Pick<RequestCounts, "record">;
  /** Called with the time that each successful response shows. `undefined` outside of a guard. */
  readonly onServerDate?: (date: ServerDate) => void;
}

/**
 * Where a guard gets an issuer's keys from. `discovered()`, `jwks(url)`, `staticKeys(set)` and `sharedSecret(bytes, alg)`
 * make one; the guard opens it, once.
 *
 * @example
 * ```ts
 * import { createGuard, jwks, staticKeys, type KeySource } from "holdfast";
 *
 * declare const testKeys: { keys: Record<string, unknown>[] } | undefined;
 *
 * const keys: KeySource = testKeys ? staticKeys(testKeys) : jwks("https://id.example.com/jwks.json");
 * export const guard = createGuard({
 *   issuer: "https://id.example.com",
 *   audience: "https://api.example.com",
 *   keys,
 * });
 * ```
 */
export interface KeySource {
  readonly kind: "discovered" | "jwks" | "static" | "secret" | "several";
  /** Two sources are the same when these values are. A source without it differs from every other. */
  readonly identity?: readonly unknown[];
  open(context: KeyContext): Keyring;
}

/** The parts of a token that select its key. */
export type KeyQuery = Pick<ParsedToken, "kid" | "algorithm" | "signingInput">;

export type KeyLookup =
  | { readonly status: "found"; readonly keys: readonly VerificationKey[] }
  /** A set that was requested after the `kid` was first seen lacks it. A token without a `kid` counts itself. */
  | InvalidVerdict
  | UnavailableVerdict;

/** The keys of one issuer. */
export interface Keyring {
  /** The algorithms that the keys may be used with. */
  readonly algorithms: readonly Algorithm[];
  /** Grows when the set changes. The results "unknown key" and "bad signature" hold for one version only. */
  readonly version: number;
  /** Grows when the keys are declared compromised. */
  readonly epoch: number;
  /**
   * Whether another `iss` than the configured one may be the true name of the issuer: the provider's metadata names it, or
   * no metadata was read yet and the host is the same. Its tokens are not judged without the keys, because one of the two
   * names is a mistake. The caller parses `iss` once: `host` is its host, or empty.
   */
  mayBeNamed?(iss: string, host: string): boolean;
  /**
   * Whether a key that `find` does not return may verify a token that none of the returned keys verifies. A set from a URL
   * may get another key for a token without `kid`. One source of several may not have its set yet.
   */
  mayHaveOthers(kid: string | undefined, algorithm: Algorithm): boolean;
  /**
   * Returns the candidates among the current keys: those of this `kid`, or all keys of the algorithm without a `kid`.
   * Empty when only `resolve` can decide.
   */
  find(kid: string | undefined, algorithm: Algorithm): readonly VerificationKey[];
  /**
   * Whether a key of this `kid` may exist that this instance does not have yet: the last attempt failed, or the set may
   * be older than the key. `false` for a key that was fetched but is unusable, and while the keys are declared
   * compromised.
   */
  mayHaveUnfetched(kid: string | undefined): boolean;
  /**
   * Fetches the set in the background, unless the pause is still on. A provider may have replaced a key under its `kid`,
   * so that no current key verifies its tokens.
   */
  refreshAfterBadSignature(): void;
  /** Finds the token's keys, and fetches the set if that may help. The `tried` keys did not sign it. Never rejects. */
  resolve(token: KeyQuery, tried: readonly VerificationKey[]): Promise<KeyLookup>;
  /**
   * Whether earlier verifications by this key still count. The set must not be too old, and must hold the key or have
   * lost it not long ago. A caller that passes `now` saves a read of the clocks.
   */
  isInForce(key: VerificationKey, now?: Instant): boolean;
  /** Whether the key is in force but no longer in the set. Such a key verifies no further tokens. */
  hasVanished(key: VerificationKey, now?: Instant): boolean;
  /**
   * Declares the issuer's keys compromised: no earlier verification counts any longer. A set is fetched at once,
   * whatever the pause. No token can be verified before that set arrives.
   */
  distrust(): void;
  status(): KeysStatus;
  /** Resolves when there is a usable set. Retries until `signal` aborts, and rejects then. */
  ready(signal: AbortSignal): Promise<void>;
  /** Stops fetching and saving. Waits at most a second for the write in flight. */
  close(): Promise<void>;
}

/**
 * The state of one issuer's keys, part of `guard.status()`.
 *
 * @example
 * ```ts
 * import type { Guard, KeysStatus } from "holdfast";
 *
 * declare const guard: Guard;
 *
 * const stale: KeysStatus[] = guard
 *   .status()
 *   .issuers.map(({ keys }) => keys)
 *   .filter(({ fresh }) => !fresh);
 * console.log(stale.map(({ ageMs, lastError }) => `${ageMs} ms old: ${lastError}`));
 * ```
 */
export interface KeysStatus {
  readonly kind: KeySource["kind"];
  /** Whether tokens can be verified. */
  readonly usable: boolean;
  /** The distinct `kid`s of the set. */
  readonly kids: readonly string[];
  /** Milliseconds since the set was fetched. `null` without a set, and for configured keys. */
  readonly ageMs: number | null;
  /** The age at which the set is no longer used, in milliseconds. `null` for configured keys. */
  readonly maxStaleMs: number | null;
  /** Whether the set is not yet due to be fetched again. */
  readonly fresh: boolean;
  /** The `kid`s that left the set and still keep the tokens valid that they verified before. */
  readonly vanished: readonly string[];
  /** Milliseconds until the next fetch is allowed; 0 when it is allowed now. */
  readonly coolingDownMs: number;
  /** Why the last fetch failed. `null` when it succeeded. */
  readonly lastError: string | null;
}
