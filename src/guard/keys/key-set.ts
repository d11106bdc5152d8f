import type { Algorithm } from "../../jwt/algorithms.ts";
import { importJwkSet, isSameKey, type VerificationKey } from "../../jwt/jwk-set.ts";
import { emit, type GuardEventSource } from "../emit.ts";

/** An immutable set of keys, indexed by `kid`. */
export class KeySet {
  readonly #keys: ReadonlySet<VerificationKey>;
  readonly #byKid = new Map<string | undefined, VerificationKey[]>();
  readonly #unusableKids: ReadonlySet<unknown>;

  /** `unusableKids` are the `kid`s of published keys that cannot be used. */
  constructor(keys: readonly VerificationKey[], unusableKids: readonly unknown[] = []) {
    this.#keys = new Set(keys);
    this.#unusableKids = new Set(unusableKids);
    for (const key of keys) {
      const same = this.#byKid.get(key.kid);
      if (same === undefined) this.#byKid.set(key.kid, [key]);
      else same.push(key);
    }
  }

  get size(): number {
    return this.#keys.size;
  }

  get keys(): readonly VerificationKey[] {
    return [...this.#keys];
  }

  get kids(): readonly string[] {
    return kidsOf(this.keys);
  }

  has(key: VerificationKey): boolean {
    return this.#keys.has(key);
  }

  hasKid(kid: string | undefined): boolean {
    return this.#byKid.has(kid);
  }

  /** The keys of this `kid`, or every key of the algorithm for a token without a `kid`. */
  find(kid: string | undefined, algorithm: Algorithm): readonly VerificationKey[] {
    const keys = kid === undefined ? [...this.#keys] : (this.#byKid.get(kid) ?? []);
    return keys.filter((key) => key.algorithm === algorithm);
  }

  /** Whether a key of this `kid` was published but cannot be used. Nothing can be said about the tokens of that key. */
  hasUnusable(kid: string | undefined): boolean {
    return kid !== undefined && this.#unusableKids.has(kid);
  }

  /** Whether both sets hold the same key objects. */
  equals(other: KeySet): boolean {
    return this.size === other.size && [...this.#keys].every((key) => other.has(key));
  }
}

/**
 * Reads a published JWK Set. A key that equals one of `known` becomes that same object, so that earlier verifications
 * stay valid. Emits an event for each unusable key. Throws `invalid_key` when the document is not a JWK Set.
 */
export function readKeySet(
  document: unknown,
  algorithms: readonly Algorithm[],
  known: readonly VerificationKey[],
  source: GuardEventSource,
): KeySet {
  const { keys, rejected } = importJwkSet(document, { algorithms });
  for (const { index, reason } of rejected) emit(source, "keys_rejected", `key ${index} ${reason}`);
  const { keys: published } = document as { keys: readonly ({ kid?: unknown } | null)[] };
  return new KeySet(
    keys.map((key) => known.find((one) => isSameKey(one, key)) ?? key),
    rejected.map(({ index }) => published[index]?.kid),
  );
}

/** The distinct `kid`s of these keys. */
export function kidsOf(keys: readonly VerificationKey[]): string[] {
  return [...new Set(keys.flatMap(({ kid }) => kid ?? []))];
}
