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
  /** Wall minus monotonic time when it was last read. */
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
    if (!this.#isSetBack()) return;
    this.#tokens.add(jti);
    if (this.#tokens.size <= MAX_TOKENS) return;
    for (const oldest of this.#tokens) {
      this.#tokens.delete(oldest);
      break;
    }
  }

  /** Whether this process issued the token after its clock was set back, for the last time. */
  has({ jti }: Readonly<JwtClaims>): boolean {
    return this.#isSetBack() && jti !== undefined && this.#tokens.has(jti);
  }

  /**
   * Whether the clock is behind the time before the step. Forgets the tokens from before another step back: a suspend in
   * between moves the clock ahead, so that they may have expired.
   */
  #isSetBack(): boolean {
    const offset = this.#readOffset();
    const isSteppedAgain = offset <= this.#offset - STEP_MS;
    this.#offset = offset;
    const isSetBack = offset <= this.#offsetBefore - STEP_MS;
    if (isSteppedAgain || !isSetBack) this.#tokens.clear();
    if (!isSetBack) this.#offsetBefore = offset;
    return isSetBack;
  }

  #readOffset(): number {
    const { wall, monotonic } = readClock(this.#clock);
    return wall - monotonic;
  }
}
