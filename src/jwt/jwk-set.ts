import { HoldfastError } from "../core/errors.ts";
import { isRecord } from "../core/json.ts";
import { systemClock, type Clock } from "../core/clock.ts";
import { forEachInTurns } from "../resilience/turns.ts";
import { asymmetricAlgorithms, type Algorithm } from "./algorithms.ts";
import { importJwk, type VerificationKey } from "./jwk.ts";

export { importSecret, type VerificationKey } from "./jwk.ts";

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

interface ImportOptions {
  /** The accepted algorithms. Default: the asymmetric ones. */
  readonly algorithms?: readonly Algorithm[] | undefined;
}

/** Further keys of a set are rejected, because imported keys take memory and time. */
const MAX_KEYS = 500;
/** A token is tried with each key of its `kid` and algorithm, so this bounds the cost of a forged token. */
const MAX_KEYS_PER_KID = 5;
/** An RSA key without `alg` takes up to half a millisecond. */
const KEYS_PER_TURN = 16;

/**
 * Imports the usable keys of an untrusted JWK Set (RFC 7517 §5), and says why the others are rejected. The keys after the
 * first 500 are rejected too. A set without a usable key is not an error here. Throws `invalid_key` when `set` is not a
 * JWK Set.
 */
export function importJwkSet(set: unknown, options: ImportOptions = {}): ImportedJwkSet {
  const list = keysOf(set);
  const result = new JwkSetImport(options.algorithms);
  for (const [index, jwk] of list.slice(0, MAX_KEYS).entries()) result.add(index, jwk);
  return result.finish(list.length);
}

/** The same for large sets: no turn of the event loop imports more than 16 keys. A smaller set takes one turn. */
export async function importJwkSetInTurns(
  set: unknown,
  options: ImportOptions = {},
  clock: Clock = systemClock,
): Promise<ImportedJwkSet> {
  const list = keysOf(set);
  const result = new JwkSetImport(options.algorithms);
  const step = ([index, jwk]: [number, unknown]) => result.add(index, jwk);
  await forEachInTurns(clock, list.slice(0, MAX_KEYS).entries(), step, KEYS_PER_TURN);
  return result.finish(list.length);
}

function keysOf(set: unknown): readonly unknown[] {
  const list = isRecord(set) ? set["keys"] : undefined;
  if (Array.isArray(list)) return list as unknown[];
  throw new HoldfastError("invalid_key", "a JWK Set must be an object with an array of keys");
}

class JwkSetImport {
  readonly #accepted: readonly Algorithm[];
  readonly #keys = new Map<string, VerificationKey>();
  readonly #rejected: RejectedKey[] = [];
  /** How many keys serve the tokens of one `kid` and algorithm. */
  readonly #rivals = new Map<string, number>();

  constructor(accepted: readonly Algorithm[] = asymmetricAlgorithms) {
    this.#accepted = accepted;
  }

  add(index: number, jwk: unknown): void {
    const imported = isRecord(jwk) ? importJwk(jwk, this.#accepted) : "is not an object";
    if (typeof imported === "string") {
      this.#rejected.push({ index, reason: imported });
      return;
    }
    // A provider may publish several keys under one `kid` (RFC 7517 §4.5): the signature tells them apart.
    const added = imported.verificationKeys.filter(({ id }) => !this.#keys.has(id));
    const fitting = added.filter((key) => this.#takePlace(key));
    for (const key of fitting) this.#keys.set(key.id, key);
    if (fitting.length === added.length) return;
    this.#rejected.push({ index, reason: `shares its kid with ${MAX_KEYS_PER_KID} other keys` });
  }

  finish(publishedCount: number): ImportedJwkSet {
    for (let index = MAX_KEYS; index < publishedCount; index++) {
      this.#rejected.push({ index, reason: `is not among the first ${MAX_KEYS} of the set` });
    }
    return { keys: [...this.#keys.values()], rejected: this.#rejected };
  }

  /** Keys without a `kid` have no limit of their own: a token without `kid` is tried with a few of them at a time. */
  #takePlace({ kid, algorithm }: VerificationKey): boolean {
    if (kid === undefined) return true;
    const name = `${algorithm} ${kid}`;
    const count = this.#rivals.get(name) ?? 0;
    if (count >= MAX_KEYS_PER_KID) return false;
    this.#rivals.set(name, count + 1);
    return true;
  }
}
