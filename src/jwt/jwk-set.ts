import { HoldfastError } from "../core/errors.ts";
import { isRecord } from "../core/json.ts";
import { asymmetricAlgorithms, type Algorithm } from "./algorithms.ts";
import { importJwk, isSameKey, type ImportedJwk, type VerificationKey } from "./jwk.ts";

export { importSecret, isSameKey, type VerificationKey } from "./jwk.ts";

interface RejectedKey {
  /** The key's index in the set. */
  readonly index: number;
  /** Completes the sentence "the key …". */
  readonly reason: string;
}

export interface ImportedJwkSet {
  readonly keys: readonly VerificationKey[];
  readonly rejected: readonly RejectedKey[];
}

const MAX_KEYS = 100;
/** A token is tried with each key of its `kid` and algorithm, so this bounds the cost of a forged token. */
const MAX_KEYS_PER_KID = 5;

/**
 * Imports the usable keys of an untrusted JWK Set (RFC 7517 §5), and says why the others are rejected. A set without a
 * usable key is not an error here. `algorithms` are the accepted ones, by default the asymmetric ones. Throws
 * `invalid_key` when `set` is not a JWK Set or has more than 100 keys.
 */
export function importJwkSet(
  set: unknown,
  options: { algorithms?: readonly Algorithm[] | undefined } = {},
): ImportedJwkSet {
  const list = isRecord(set) ? set["keys"] : undefined;
  if (!Array.isArray(list)) {
    throw new HoldfastError("invalid_key", "a JWK Set must be an object with an array of keys");
  }
  if (list.length > MAX_KEYS) {
    throw new HoldfastError(
      "invalid_key",
      `a JWK Set must have at most ${MAX_KEYS} keys; got ${list.length}`,
    );
  }
  const accepted = options.algorithms ?? asymmetricAlgorithms;
  const usable: (ImportedJwk & { readonly index: number })[] = [];
  const rejected: RejectedKey[] = [];
  for (const [index, jwk] of (list as unknown[]).entries()) {
    const imported = isRecord(jwk) ? importJwk(jwk, accepted) : "is not an object";
    if (typeof imported === "string") rejected.push({ index, reason: imported });
    else usable.push({ index, ...imported });
  }
  const keys: VerificationKey[] = [];
  for (const { index, verificationKeys } of usable) {
    const added = verificationKeys.filter((one) => !keys.some((other) => isSameKey(one, other)));
    // A provider may publish several keys under one `kid` (RFC 7517 §4.5): the signature tells them apart.
    const fitting = added.filter((one) => countRivals(keys, one) < MAX_KEYS_PER_KID);
    keys.push(...fitting);
    if (fitting.length < added.length) {
      rejected.push({ index, reason: `shares its kid with ${MAX_KEYS_PER_KID} other keys` });
    }
  }
  return { keys, rejected };
}

/** The number of keys that serve the same tokens. Keys without a `kid` are not counted. */
function countRivals(keys: readonly VerificationKey[], { kid, algorithm }: VerificationKey): number {
  if (kid === undefined) return 0;
  return keys.filter((other) => other.kid === kid && other.algorithm === algorithm).length;
}
