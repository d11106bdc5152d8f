import type { Algorithm } from "../../jwt/algorithms.ts";
import { importJwkSet, isSameKey, type VerificationKey } from "../../jwt/jwk-set.ts";
import { emit, type GuardEventSource } from "../emit.ts";

/** Keys by `kid`. Never changes. */
export class KeySet {
  readonly #keys: ReadonlySet<VerificationKey>;
  readonly #byKid = new Map<string | undefined, VerificationKey[]>();
  readonly #unusableKids: ReadonlySet<unknown>;

  /** `unusable` are the `kid`s of keys that were published too, and left out. */
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

  /** The key of this `kid`; all that a token without `kid` may mean. */
  find(kid: string | undefined, algorithm: Algorithm): readonly VerificationKey[] {
    const keys = kid === undefined ? [...this.#keys] : (this.#byKid.get(kid) ?? []);
    return keys.filter((key) => key.algorithm === algorithm);
  }

  /** Whether there is a key of this `kid` that cannot be used: then it proves nothing, for or against a token. */
  hasUnusable(kid: string | undefined): boolean {
    return kid !== undefined && this.#unusableKids.has(kid);
  }

  /** Whether both hold the same key objects. */
  equals(other: KeySet): boolean {
    return this.size === other.size && [...this.#keys].every((key) => other.has(key));
  }
}

/**
 * What was published. Keys that are `known` stay the same objects: what they proved stands. Reports those that cannot
 * be used; throws `invalid_key` for what is no set.
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

/** Their names, each once. */
export function kidsOf(keys: readonly VerificationKey[]): string[] {
  return [...new Set(keys.flatMap(({ kid }) => kid ?? []))];
}
