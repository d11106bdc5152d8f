import type { Clock } from "../core/clock.ts";

/** A peer may present this many tokens at once. */
const MAX_TOKEN_ATTEMPTS = 30;
/** After such a burst, a peer may present one token in this time. */
export const TOKEN_ATTEMPT_MS = 1_000;

/**
 * Limits how often a peer presents a token. The server answers each token, and a peer that never reads the answers must
 * not fill the memory.
 */
export class TokenAttempts {
  readonly #clock: Clock;
  /** The monotonic time at which all attempts are forgotten. */
  #clearAt = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Counts one attempt. Returns whether it is within the limit. */
  take(): boolean {
    const now = this.#clock.monotonic();
    this.#clearAt = Math.max(this.#clearAt, now) + TOKEN_ATTEMPT_MS;
    return this.#clearAt - now <= MAX_TOKEN_ATTEMPTS * TOKEN_ATTEMPT_MS;
  }
}
