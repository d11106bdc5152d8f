import type { Clock, Instant } from "../../core/clock.ts";
import { unavailableVerdict, type UnavailableVerdict } from "../../core/verdict.ts";
import { TtlCache } from "../../resilience/ttl-cache.ts";

/** How long the authority is not asked again about a token, and how long one unusable answer is remembered. */
const PAUSE_MS = 5_000;
/** The pause follows the second unusable answer in a row. A first one may be an accident. */
const ANSWERS_BEFORE_PAUSE = 2;
/** The tokens that are remembered. Past it, the authority is asked again sooner. */
const MAX_TOKENS = 4_096;

/**
 * Remembers for which tokens the authority lately gave no usable answer although it answers about others. A client with such a token cannot make the guard ask about it again and again.
 */
export class UnusableAnswers {
  /** The number of unusable answers, by name of the token. */
  readonly #counts: TtlCache<number>;

  constructor(clock: Clock) {
    this.#counts = new TtlCache({ maxBytes: MAX_TOKENS, clock });
  }

  record(tokenName: string): void {
    const count = (this.#counts.get(tokenName) ?? 0) + 1;
    this.#counts.set(tokenName, count, { ttlMs: PAUSE_MS, bytes: 1 });
  }

  /** The outcome in place of another question. `null` when the authority may be asked. */
  get(tokenName: string, now: Instant): UnavailableVerdict | null {
    const isPaused = (this.#counts.get(tokenName, now) ?? 0) >= ANSWERS_BEFORE_PAUSE;
    return isPaused ? unavailableVerdict("authority_unavailable") : null;
  }
}
