import type { Clock } from "../../core/clock.ts";
import type { Algorithm } from "../../jwt/algorithms.ts";
import type { VerificationKey } from "../../jwt/jwk-set.ts";
import type { Snapshots } from "../../stores/contracts.ts";

/** What a guard lends to the keys it opens. */
export interface KeyContext {
  /** The guard's name, for events. */
  readonly guard: string;
  readonly issuer: string;
  readonly algorithms: readonly Algorithm[] | undefined;
  readonly clock: Clock;
  readonly random: () => number;
  readonly snapshots: Snapshots | undefined;
}

/** Where keys come from: `jwks(url)`, `staticKeys(set)`, `sharedSecret(bytes, alg)`. Opened once by its guard. */
export interface KeySource {
  readonly kind: "jwks" | "static" | "secret";
  open(context: KeyContext): Keyring;
}

export type KeyLookup =
  | { readonly status: "found"; readonly keys: readonly VerificationKey[] }
  /** A set fetched after this `kid` was first seen does not hold it; without `kid`, one fetched just now. */
  | { readonly status: "unknown" }
  /** The key of this `kid` was declared for another algorithm. */
  | { readonly status: "wrong_algorithm" }
  | {
      readonly status: "unavailable";
      readonly cause: "keys_unavailable" | "key_pending";
      readonly retryAfterMs: number;
    };

export interface Keyring {
  /** Which algorithms its keys can be used with. */
  readonly algorithms: readonly Algorithm[];
  /** Grows whenever the set changes: findings "unknown key" and "bad signature" hold for one version only. */
  readonly version: number;
  /** Whether other keys may come. Then a token without `kid` that none of these signed may still be good. */
  readonly grows: boolean;
  /** At once, from what is here: the key of this `kid`, or every one that may be meant. None when only `resolve` can tell. */
  find(kid: string | undefined, algorithm: Algorithm): readonly VerificationKey[];
  /** Fetches if that may help; `tried` did not sign the token. Never rejects. */
  resolve(
    kid: string | undefined,
    algorithm: Algorithm,
    tried: readonly VerificationKey[],
  ): Promise<KeyLookup>;
  /** Whether a key that proved a token before is still in force. */
  holds(key: VerificationKey): boolean;
  status(): KeysStatus;
  /** Resolves when there is a usable set; tries until `signal` aborts, and rejects then. */
  ready(signal: AbortSignal): Promise<void>;
  close(): void;
}

export interface KeysStatus {
  readonly kind: KeySource["kind"];
  readonly usable: boolean;
  readonly kids: readonly string[];
  /** Since the set was last fetched; `null` for keys that are configured. */
  readonly ageMs: number | null;
  readonly fresh: boolean;
  readonly coolingDownMs: number;
  readonly lastError: string | null;
}
