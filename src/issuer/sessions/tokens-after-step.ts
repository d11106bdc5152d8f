import { readClock, type Clock } from "../../core/clock.ts";
import type { JwtClaims } from "../../core/verdict.ts";

/** The wall clock was set back when it lost at least this much against the monotonic clock. Less is drift. */
const STEP_MS = 1_000;
/** The newest tokens are remembered. Guards reject an older one for a while, with 503. */
const MAX_TOKENS = 10_000;

/**
 * Remembers the access tokens that this process issues after its wall clock was set back. Their `iat` lies in a time that
 * the clock shows for the second time. A guard in the same process cannot tell them from tokens that were issued the first
 * time and have expired.
 */
export class TokensAfterStep {
  readonly #clock: Clock;
  /** Wall minus monotonic time before the step. */
  #offsetBefore: number;
  /** Wall minus monotonic time at the last token. */
  #offset: number;
  /** Their `jti`, the oldest first. Empty while the clock was not set back. */
  readonly #tokens = new Set<string>();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#offset = this.#readOffset();
    this.#offsetBefore = this.#offset;
  }

  /** Records a token that is issued now. */
  record(jti: string): void {
    const offset = this.#readOffset();
    const isSteppedAgain = offset <= this.#offset - STEP_MS;
    this.#offset = offset;
    if (isSteppedAgain) this.#tokens.clear();
    if (offset > this.#offsetBefore - STEP_MS) {
      this.#offsetBefore = offset;
      this.#tokens.clear();
      return;
    }
    this.#tokens.add(jti);
    if (this.#tokens.size <= MAX_TOKENS) return;
    for (const oldest of this.#tokens) {
      this.#tokens.delete(oldest);
      break;
    }
  }

  /** Whether this process issued the token after its clock was set back, for the last time. */
  has({ jti }: Readonly<JwtClaims>): boolean {
    if (jti === undefined || !this.#tokens.has(jti)) return false;
    return this.#readOffset() > this.#offset - STEP_MS;
  }

  #readOffset(): number {
    const { wall, monotonic } = readClock(this.#clock);
    return wall - monotonic;
  }
}
