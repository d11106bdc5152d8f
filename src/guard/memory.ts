import type { Clock, Instant } from "../core/clock.ts";
import type { Invalid, InvalidReason } from "../core/verdict.ts";
import { TtlCache } from "../resilience/ttl-cache.ts";
import type { Known } from "./finding.ts";
import type { CacheStatus } from "./types.ts";

interface RefusedUnder extends Invalid {
  /** Of the key sets it was found under. */
  readonly keysVersion: number;
}

/** Bytes counted for an entry besides what grows with the token: key, entry and finding. */
const ENTRY_BYTES = 600;
const REFUSED_BYTES = 300;
/** Heap taken by parsed claims for each byte of their token. */
const CLAIMS_FACTOR = 1.25;
/** Invalid findings must not push out valid ones: their budget is this part of the whole. */
const INVALID_SHARE = 1 / 16;

/** Findings by digest of the whole token. Invalid ones have a small budget of their own and hold for one state of the keys. */
export class Memory {
  readonly #valid: TtlCache<Known>;
  readonly #invalid: TtlCache<RefusedUnder>;
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
  valid(digest: string, now: Instant): Known | undefined {
    return this.#valid.get(digest, now);
  }

  /** What was found too long ago, or without an answer that is wanted; kept as long as the token may live. */
  stale(digest: string, now: Instant): Known | undefined {
    return this.#valid.getStale(digest, now);
  }

  invalid(digest: string, now: Instant, keysVersion: number): Invalid | undefined {
    const refused = this.#invalid.get(digest, now);
    return refused?.keysVersion === keysVersion ? refused : undefined;
  }

  /** `textBytes`: of the token, or of the answer that its claims are from; `mostMs`: what is left of that. */
  keepValid(digest: string, finding: Known, textBytes: number, mostMs: number = this.#ttlMs): void {
    const { isWhole, expiresAt, ownExpiresAt } = finding;
    const leftMs = (endsAt: number) => endsAt + this.#toleranceMs - this.#clock.now();
    const ttlMs = isWhole ? Math.min(this.#ttlMs, mostMs, Math.max(0, leftMs(expiresAt))) : 0;
    const spareMs = leftMs(ownExpiresAt) - ttlMs;
    this.#valid.set(digest, finding, { ttlMs, spareMs, bytes: ENTRY_BYTES + CLAIMS_FACTOR * textBytes });
  }

  /** Only for reasons that time does not change, unless `ttlMs` is short. */
  keepInvalid(digest: string, reason: InvalidReason, keysVersion: number, ttlMs: number = this.#ttlMs): void {
    const refused = { status: "invalid", reason, keysVersion } as const;
    this.#invalid.set(digest, refused, { ttlMs: Math.min(ttlMs, this.#ttlMs), bytes: REFUSED_BYTES });
  }

  forget(digest: string): void {
    this.#valid.delete(digest);
  }

  status(): { valid: CacheStatus; invalid: CacheStatus } {
    return { valid: this.#valid.stats(), invalid: this.#invalid.stats() };
  }
}
