import type { Clock, Instant } from "../../core/clock.ts";
import type { InvalidVerdict } from "../../core/verdict.ts";
import { TtlCache } from "../../resilience/ttl-cache.ts";
import type { GuardedIssuer } from "../issuers/guarded-issuer.ts";
import type { ValidToken } from "./validation-result.ts";
import type { CacheStatus } from "../status-types.ts";

/** The keys under which a token is invalid. The result counts until the issuer has other keys. */
export interface KeysMark {
  readonly issuer: GuardedIssuer;
  readonly version: number;
}

/** The keys that the issuer has now. */
export function currentKeys(issuer: GuardedIssuer): KeysMark {
  return { issuer, version: issuer.keyring.version };
}

interface CachedInvalid {
  readonly refusal: InvalidVerdict;
  readonly keys: KeysMark;
}

/** The fixed size of an entry: its key and the objects around the claims. */
const VALID_ENTRY_BYTES = 600;
const INVALID_ENTRY_BYTES = 300;
/** Heap that parsed claims take for each byte of their token. */
const CLAIMS_FACTOR = 1.25;
/** Law 6: invalid results have a separate budget, so that they cannot push out valid ones. */
const INVALID_SHARE = 1 / 16;

/** Step 3: validation results by the name of the whole token, bounded in bytes. */
export class ResultCache {
  readonly #valid: TtlCache<ValidToken>;
  readonly #invalid: TtlCache<CachedInvalid>;
  readonly #clock: Clock;
  readonly #ttlMs: number;
  readonly #toleranceMs: number;

  constructor(options: { maxBytes: number; ttlMs: number; toleranceMs: number; clock: Clock }) {
    const { maxBytes, ttlMs, toleranceMs, clock } = options;
    this.#ttlMs = ttlMs;
    this.#toleranceMs = toleranceMs;
    this.#clock = clock;
    this.#valid = new TtlCache({ maxBytes, clock });
    this.#invalid = new TtlCache({ maxBytes: Math.max(1, Math.floor(maxBytes * INVALID_SHARE)), clock });
  }

  /** A token that needs no check again. */
  getValid(tokenName: string, now: Instant): ValidToken | undefined {
    return this.#valid.get(tokenName, now);
  }

  /** The same without a count. A caller that does not take all steps next calls `countHit`. */
  peekValid(tokenName: string, now: Instant): ValidToken | undefined {
    return this.#valid.peek(tokenName, now);
  }

  countHit(): void {
    this.#valid.countHit();
  }

  /** A token whose entry is too old, or whose authority has not answered. Kept until the token expires. */
  getStaleValid(tokenName: string, now: Instant): ValidToken | undefined {
    return this.#valid.getStale(tokenName, now);
  }

  getInvalid(tokenName: string, now: Instant): InvalidVerdict | undefined {
    const cached = this.#invalid.get(tokenName, now);
    if (cached === undefined) return undefined;
    const { issuer, version } = cached.keys;
    return issuer.isRetired || issuer.keyring.version !== version ? undefined : cached.refusal;
  }

  /**
   * @param textBytes Length of the text that the claims were parsed from: the token, or the authority's answer.
   * @param maxTtlMs How much longer a shared answer counts.
   */
  setValid(tokenName: string, token: ValidToken, textBytes: number, maxTtlMs: number = this.#ttlMs): void {
    const { isComplete, expiresAt, tokenExpiresAt } = token;
    const remainingMs = (endsAt: number) => endsAt + this.#toleranceMs - this.#clock.now();
    const ttlMs = isComplete ? Math.min(this.#ttlMs, maxTtlMs, Math.max(0, remainingMs(expiresAt))) : 0;
    const staleMs = remainingMs(tokenExpiresAt) - ttlMs;
    this.#valid.set(tokenName, token, {
      ttlMs,
      staleMs,
      bytes: VALID_ENTRY_BYTES + CLAIMS_FACTOR * textBytes,
    });
  }

  /** Only for reasons that time does not change, unless `ttlMs` is short. */
  setInvalid(tokenName: string, refusal: InvalidVerdict, keys: KeysMark, ttlMs: number = this.#ttlMs): void {
    const { detail } = refusal;
    const bytes = INVALID_ENTRY_BYTES + (detail === undefined ? 0 : 2 * JSON.stringify(detail).length);
    this.#invalid.set(tokenName, { refusal, keys }, { ttlMs: Math.min(ttlMs, this.#ttlMs), bytes });
  }

  deleteValid(tokenName: string): void {
    this.#valid.delete(tokenName);
  }

  status(): { valid: CacheStatus; invalid: CacheStatus } {
    return { valid: this.#valid.stats(), invalid: this.#invalid.stats() };
  }
}
