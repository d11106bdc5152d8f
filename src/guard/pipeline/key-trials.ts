import type { Clock } from "../../core/clock.ts";
import type { VerificationKey } from "../../jwt/jwk-set.ts";
import { TtlCache } from "../../resilience/ttl-cache.ts";

/** The keys that one request tries for a token without `kid`. A signature check takes up to 0.2 ms. */
const MAX_TRIALS = 4;
/** The keys that are remembered over all tokens, and how long. */
const MAX_REMEMBERED_KEYS = 100_000;
const REMEMBER_MS = 60_000;

/** The keys to try now. `hasMore` when other keys of the set may have signed the token. */
export interface KeySelection {
  readonly keys: readonly VerificationKey[];
  readonly hasMore: boolean;
}

/**
 * Bounds the cost of a token that names no key. Any key of its algorithm may have signed it (RFC 7515 §6), and a set has
 * up to 500. Each request tries four: those that verified such tokens lately, then those without a `kid`, then the
 * others. The next request with the same token continues, so a good token passes and a forged one is refused in the end.
 */
export class KeyTrials {
  readonly #triedByToken: TtlCache<ReadonlySet<VerificationKey>>;
  /** Grows with the time of the last success. */
  readonly #lastSuccess = new WeakMap<VerificationKey, number>();
  #successes = 0;

  constructor(clock: Clock) {
    this.#triedByToken = new TtlCache({ maxBytes: MAX_REMEMBERED_KEYS, clock });
  }

  /** Chooses the keys for a token. `keys` are all that fit. */
  select(tokenName: string, kid: string | undefined, keys: readonly VerificationKey[]): KeySelection {
    if (kid !== undefined || keys.length <= MAX_TRIALS) return { keys, hasMore: false };
    const tried = this.#triedByToken.get(tokenName);
    const untried = tried === undefined ? keys : keys.filter((key) => !tried.has(key));
    return { keys: this.#best(untried), hasMore: untried.length > MAX_TRIALS };
  }

  /** The keys of the highest ranks, in one pass. Of equal ranks the earlier key comes first. */
  #best(keys: readonly VerificationKey[]): VerificationKey[] {
    const best: { readonly key: VerificationKey; readonly rank: number }[] = [];
    for (const key of keys) {
      const rank = this.#rank(key);
      const last = best.at(-1);
      if (best.length === MAX_TRIALS && last !== undefined && rank <= last.rank) continue;
      const place = best.findIndex((other) => other.rank < rank);
      best.splice(place === -1 ? best.length : place, 0, { key, rank });
      best.length = Math.min(best.length, MAX_TRIALS);
    }
    return best.map(({ key }) => key);
  }

  recordFailure(tokenName: string, keys: readonly VerificationKey[]): void {
    const tried = new Set([...(this.#triedByToken.get(tokenName) ?? []), ...keys]);
    this.#triedByToken.set(tokenName, tried, { ttlMs: REMEMBER_MS, bytes: tried.size });
  }

  recordSuccess(key: VerificationKey): void {
    this.#lastSuccess.set(key, ++this.#successes);
  }

  #rank(key: VerificationKey): number {
    return this.#lastSuccess.get(key) ?? (key.kid === undefined ? 0 : -1);
  }
}
