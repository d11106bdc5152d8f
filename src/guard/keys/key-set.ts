import type { Algorithm } from "../../jwt/algorithms.ts";
import { isSameKey, type VerificationKey } from "../../jwt/jwk-set.ts";

/** Keys by `kid`. Never changes. */
export class KeySet {
  readonly #keys: ReadonlySet<VerificationKey>;
  readonly #byKid = new Map<string | undefined, VerificationKey[]>();

  constructor(keys: readonly VerificationKey[]) {
    this.#keys = new Set(keys);
    for (const key of keys) {
      const same = this.#byKid.get(key.kid);
      if (same === undefined) this.#byKid.set(key.kid, [key]);
      else same.push(key);
    }
  }

  get size(): number {
    return this.#keys.size;
  }

  get kids(): readonly string[] {
    return [...this.#byKid.keys()].filter((kid) => kid !== undefined);
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

  /** The same keys, those that stand here already as the same objects: what they proved stays in force. */
  replacedBy(keys: readonly VerificationKey[]): KeySet {
    return new KeySet(keys.map((key) => [...this.#keys].find((known) => isSameKey(known, key)) ?? key));
  }

  /** Whether both hold the same key objects. */
  equals(other: KeySet): boolean {
    return this.size === other.size && [...this.#keys].every((key) => other.has(key));
  }
}
