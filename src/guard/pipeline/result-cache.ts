import type { Clock, Instant } from "../../core/clock.ts";
import type { InvalidVerdict, InvalidReason } from "../../core/verdict.ts";
import { TtlCache } from "../../resilience/ttl-cache.ts";
import type { ValidToken } from "./validation-result.ts";
import type { CacheStatus } from "../types.ts";

interface CachedInvalid extends InvalidVerdict {
  /** Of the key sets it was found under. */
  readonly keysVersion: number;
}

/** Bytes counted for an entry besides what grows with the token: key, entry and result. */
const VALID_ENTRY_BYTES = 600;
const INVALID_ENTRY_BYTES = 300;
/** Heap taken by parsed claims for each byte of their token. */
const CLAIMS_FACTOR = 1.25;
/** Invalid findings must not push out valid ones: their budget is this part of the whole. */
const INVALID_SHARE = 1 / 16;

/** Findings by digest of the whole token. Invalid ones have a small budget of their own and hold for one state of the keys. */
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

  /** What needs no asking again. */
  getValid(digest: string, now: Instant): ValidToken | undefined {
    return this.#valid.get(digest, now);
  }

  /** What was found too long ago, or without an answer that is wanted; kept as long as the token may live. */
  getStaleValid(digest: string, now: Instant): ValidToken | undefined {
    return this.#valid.getStale(digest, now);
  }

  getInvalid(digest: string, now: Instant, keysVersion: number): InvalidVerdict | undefined {
    const refused = this.#invalid.get(digest, now);
    return refused?.keysVersion === keysVersion ? refused : undefined;
  }

  /** `textBytes`: of the token, or of the answer that its claims are from; `mostMs`: what is left of that. */
  setValid(digest: string, result: ValidToken, textBytes: number, maxTtlMs: number = this.#ttlMs): void {
    const { isComplete, expiresAt, tokenExpiresAt } = result;
    const leftMs = (endsAt: number) => endsAt + this.#toleranceMs - this.#clock.now();
    const ttlMs = isComplete ? Math.min(this.#ttlMs, maxTtlMs, Math.max(0, leftMs(expiresAt))) : 0;
    const spareMs = leftMs(tokenExpiresAt) - ttlMs;
    this.#valid.set(digest, result, {
      ttlMs,
      staleMs: spareMs,
      bytes: VALID_ENTRY_BYTES + CLAIMS_FACTOR * textBytes,
    });
  }

  /** Only for reasons that time does not change, unless `ttlMs` is short. */
  setInvalid(digest: string, reason: InvalidReason, keysVersion: number, ttlMs: number = this.#ttlMs): void {
    const refused = { status: "invalid", reason, keysVersion } as const;
    this.#invalid.set(digest, refused, { ttlMs: Math.min(ttlMs, this.#ttlMs), bytes: INVALID_ENTRY_BYTES });
  }

  deleteValid(digest: string): void {
    this.#valid.delete(digest);
  }

  status(): { valid: CacheStatus; invalid: CacheStatus } {
    return { valid: this.#valid.stats(), invalid: this.#invalid.stats() };
  }
}
