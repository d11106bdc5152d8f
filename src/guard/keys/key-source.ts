import type { Clock, Instant } from "../../core/clock.ts";
import type { InvalidVerdict, UnavailableVerdict } from "../../core/verdict.ts";
import type { Algorithm } from "../../jwt/algorithms.ts";
import type { VerificationKey } from "../../jwt/jwk-set.ts";
import type { ParsedToken } from "../../jwt/parse.ts";
import type { Snapshots } from "../../stores/store.ts";
import type { GuardEventSource } from "../emit.ts";

/** What a guard lends to the keys it opens. */
export interface KeyContext extends GuardEventSource {
  readonly issuer: string;
  readonly algorithms: readonly Algorithm[] | undefined;
  readonly clock: Clock;
  readonly random: () => number;
  readonly snapshots: Snapshots | undefined;
}

/** Where keys come from: `discovered()`, `jwks(url)`, `staticKeys(set)`, `sharedSecret(bytes, alg)`. Opened once by its guard. */
export interface KeySource {
  readonly kind: "discovered" | "jwks" | "static" | "secret";
  open(context: KeyContext): Keyring;
}

/** A token whose key is looked for. */
export type KeyQuery = Pick<ParsedToken, "kid" | "algorithm" | "signingInput">;

export type KeyLookup =
  | { readonly status: "found"; readonly keys: readonly VerificationKey[] }
  /** Proved by a set that was fetched after this `kid` was first seen; without `kid`, after this token was. */
  | InvalidVerdict
  | UnavailableVerdict;

export interface Keyring {
  /** Which algorithms its keys can be used with. */
  readonly algorithms: readonly Algorithm[];
  /** Grows whenever the set changes: findings "unknown key" and "bad signature" hold for one version only. */
  readonly version: number;
  /** Grows when the keys are declared compromised. */
  readonly epoch: number;
  /** Whether other keys may come. Then a token without `kid` that none of these signed may still be good. */
  readonly mayGrow: boolean;
  /** At once, from what is here: the key of this `kid`, or every one that may be meant. None when only `resolve` can tell. */
  find(kid: string | undefined, algorithm: Algorithm): readonly VerificationKey[];
  /**
   * Whether there may be a key of this `kid` that cannot be fetched: the last attempt failed. Neither one that came and
   * is unusable, nor any in place of keys that were declared compromised.
   */
  mayHaveUnfetched(kid: string | undefined): boolean;
  /** Fetches if that may help; `tried` did not sign the token. Never rejects. */
  resolve(token: KeyQuery, tried: readonly VerificationKey[]): Promise<KeyLookup>;
  /**
   * Whether a key that proved a token before is still in force: in the set, or vanished from it not too long ago, and
   * the set not too old to be believed. `now` saves reading the clocks.
   */
  isInForce(key: VerificationKey, now?: Instant): boolean;
  /** Whether it is in force although the set no longer has it: good for what it proved already, for nothing new. */
  hasVanished(key: VerificationKey, now?: Instant): boolean;
  /**
   * The issuer's keys may be known to others: nothing proved so far counts any more. A set is fetched at once, whatever
   * the pause; until it is here no token can be proved.
   */
  distrust(): void;
  status(): KeysStatus;
  /** Resolves when there is a usable set; tries until `signal` aborts, and rejects then. */
  ready(signal: AbortSignal): Promise<void>;
  /** Nothing is fetched or saved any more; waits, at most a second, for what is being saved. */
  close(): Promise<void>;
}

export interface KeysStatus {
  readonly kind: KeySource["kind"];
  readonly usable: boolean;
  readonly kids: readonly string[];
  /** Since the set was last fetched; `null` for keys that are configured. */
  readonly ageMs: number | null;
  readonly fresh: boolean;
  /** Keys that left the set and still serve what they proved. */
  readonly vanished: readonly string[];
  readonly coolingDownMs: number;
  readonly lastError: string | null;
}
