import type { Clock } from "../../core/clock.ts";
import type { Algorithm } from "../../jwt/algorithms.ts";
import { importJwkSetInTurns, type VerificationKey } from "../../jwt/jwk-set.ts";
import { emit, type GuardEventSource } from "../emit.ts";

/** An immutable set of keys, indexed by `kid`. */
export class KeySet {
  readonly #keys: ReadonlySet<VerificationKey>;
  readonly #byKid = new Map<string | undefined, VerificationKey[]>();
  readonly #byAlgorithm: ReadonlyMap<Algorithm, readonly VerificationKey[]>;
  readonly #unusableKids: ReadonlySet<unknown>;

  /** `unusableKids` are the `kid`s of published keys that cannot be used. */
  constructor(keys: readonly VerificationKey[], unusableKids: readonly unknown[] = []) {
    this.#keys = new Set(keys);
    this.#unusableKids = new Set(unusableKids);
    this.#byAlgorithm = Map.groupBy(keys, ({ algorithm }) => algorithm);
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
    if (kid === undefined) return this.#byAlgorithm.get(algorithm) ?? [];
    return (this.#byKid.get(kid) ?? []).filter((key) => key.algorithm === algorithm);
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

/** The keys of a published JWK Set, and the `kid`s of those that cannot be used. */
export interface PublishedKeys {
  readonly keys: readonly VerificationKey[];
  readonly unusableKids: readonly unknown[];
}

/** A set may have thousands of unusable keys, and a log must stay readable. */
const MAX_REJECTION_EVENTS = 20;

/**
 * Reads a published JWK Set, a large one in turns of the event loop. Emits an event for each unusable key, up to twenty.
 * Rejects with `invalid_key` when the document is not a JWK Set.
 */
export async function readPublishedKeys(
  document: unknown,
  algorithms: readonly Algorithm[],
  source: GuardEventSource & { readonly clock: Clock },
): Promise<PublishedKeys> {
  const { keys, rejected } = await importJwkSetInTurns(document, { algorithms }, source.clock);
  for (const { index, reason } of rejected.slice(0, MAX_REJECTION_EVENTS)) {
    emit(source, "keys_rejected", `key ${index} ${reason}`);
  }
  const more = rejected.length - MAX_REJECTION_EVENTS;
  if (more > 0) emit(source, "keys_rejected", `${more} more keys cannot be used`);
  const { keys: published } = document as { keys: readonly ({ kid?: unknown } | null)[] };
  return { keys, unusableKids: rejected.map(({ index }) => published[index]?.kid) };
}

/** A key that equals one of `known` becomes that same object, so that earlier verifications stay valid. */
export function toKeySet({ keys, unusableKids }: PublishedKeys, known: readonly VerificationKey[]): KeySet {
  const knownById = new Map(known.map((key) => [key.id, key]));
  return new KeySet(
    keys.map((key) => knownById.get(key.id) ?? key),
    unusableKids,
  );
}

/** The distinct `kid`s of these keys. */
export function kidsOf(keys: readonly VerificationKey[]): string[] {
  return [...new Set(keys.flatMap(({ kid }) => kid ?? []))];
}
