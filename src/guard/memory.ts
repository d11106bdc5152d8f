import type { Clock, Instant } from "../core/clock.ts";
import type { InvalidReason } from "../core/verdict.ts";
import { TtlCache } from "../resilience/ttl-cache.ts";
import type { Proven, Refused } from "./finding.ts";
import type { CacheStatus } from "./types.ts";

interface RefusedUnder extends Refused {
  /** Of the key set it was found under. */
  readonly keysVersion: number;
}

/** Bytes counted for an entry besides what grows with the token: key, entry and finding. */
const ENTRY_BYTES = 600;
const REFUSED_BYTES = 300;
/** Heap taken by parsed claims for each byte of their token. */
const CLAIMS_FACTOR = 1.25;
/** Invalid findings must not push out valid ones: their budget is this part of the whole. */
const INVALID_SHARE = 1 / 16;

/** Findings by digest of the whole token. Invalid ones have a small budget of their own and hold for one key set. */
export class Memory {
  readonly #valid: TtlCache<Proven>;
  readonly #invalid: TtlCache<RefusedUnder>;
  readonly #ttlMs: number;

  constructor(options: { maxBytes: number; ttlMs: number; clock: Clock }) {
    const { maxBytes, ttlMs, clock } = options;
    this.#ttlMs = ttlMs;
    this.#valid = new TtlCache({ maxBytes, clock });
    this.#invalid = new TtlCache({ maxBytes: Math.max(1, Math.floor(maxBytes * INVALID_SHARE)), clock });
  }

  valid(digest: string, now: Instant): Proven | undefined {
    return this.#valid.get(digest, now);
  }

  invalid(digest: string, now: Instant, keysVersion: number): Refused | undefined {
    const refused = this.#invalid.get(digest, now);
    return refused?.keysVersion === keysVersion ? refused : undefined;
  }

  /** `lifeLeftMs`: until no rule of time could accept the token any more. */
  keepValid(digest: string, finding: Proven, tokenBytes: number, lifeLeftMs: number): void {
    const ttlMs = Math.min(this.#ttlMs, lifeLeftMs);
    this.#valid.set(digest, finding, { ttlMs, bytes: ENTRY_BYTES + CLAIMS_FACTOR * tokenBytes });
  }

  /** Only for reasons that time does not change. */
  keepInvalid(digest: string, reason: InvalidReason, keysVersion: number): void {
    const refused = { status: "invalid", reason, keysVersion } as const;
    this.#invalid.set(digest, refused, { ttlMs: this.#ttlMs, bytes: REFUSED_BYTES });
  }

  status(): { valid: CacheStatus; invalid: CacheStatus } {
    return { valid: this.#valid.stats(), invalid: this.#invalid.stats() };
  }
}
