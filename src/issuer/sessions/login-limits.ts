import { hash } from "node:crypto";
import { networkOf } from "../../core/address.ts";
import { elapsedMs, readClock, type Clock, type Instant } from "../../core/clock.ts";
import { TtlCache } from "../../resilience/ttl-cache.ts";

/** Limits of failed attempts within this window: for one account from one source, and for one source in total. */
const WINDOW_MS = 15 * 60_000;
const PER_ACCOUNT_AND_SOURCE = 10;
const PER_SOURCE = 100;

/** Memory for about 30,000 counts of each kind. A flood of sources evicts the least recently used counts. */
const MAX_BYTES = 8 * 1024 * 1024;
const BYTES_PER_COUNT = 256;

/** Starts with its first attempt and ends one window later. Later attempts do not extend it. */
interface AttemptCount {
  readonly startedAt: Instant;
  attempts: number;
  exceeded: boolean;
}

type LoginAttempt =
  | {
      readonly status: "allowed";
      /**
       * Must be called unless the credentials were wrong. `correct` resets the count of the account. `unchecked` takes
       * this attempt back, because the credentials could not be checked.
       */
      readonly settle: (credentials: "correct" | "unchecked") => void;
    }
  /** `firstInWindow` is true for the first refusal of a window. */
  | { readonly status: "limited"; readonly retryAfterMs: number; readonly firstInWindow: boolean };

/**
 * Counts each attempt before its credentials are checked, so that parallel attempts count, too. No limit applies to an
 * account alone, because a stranger could then lock its user out.
 */
export class LoginLimits {
  readonly #clock: Clock;
  readonly #bySource: TtlCache<AttemptCount>;
  readonly #byAccountAndSource: TtlCache<AttemptCount>;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#bySource = new TtlCache({ maxBytes: MAX_BYTES, clock });
    this.#byAccountAndSource = new TtlCache({ maxBytes: MAX_BYTES, clock });
  }

  /**
   * `readAccount` returns `null` when the credentials name no account. It is called after the count of the source, so
   * that a refused source costs no work on its credentials. All requests without a source share one count.
   */
  attempt(readAccount: () => string | null, source: string | undefined): LoginAttempt {
    const network = networkOf((source ?? "unknown").slice(0, 64));
    const sourceCount = this.#getOrStart(this.#bySource, network);
    if (sourceCount.attempts >= PER_SOURCE) return this.#limited(sourceCount);
    const account = readAccount();
    const pair = hash("sha256", JSON.stringify([account, network]), "base64url");
    const pairCount = account === null ? null : this.#getOrStart(this.#byAccountAndSource, pair);
    // No credentials are checked, so the refusal must not count against other users behind the same address.
    if (pairCount !== null && pairCount.attempts >= PER_ACCOUNT_AND_SOURCE) return this.#limited(pairCount);
    sourceCount.attempts++;
    if (pairCount !== null) pairCount.attempts++;
    const settle = (credentials: "correct" | "unchecked") => {
      sourceCount.attempts--;
      if (credentials === "correct") this.#byAccountAndSource.delete(pair);
      else if (pairCount !== null) pairCount.attempts--;
    };
    return { status: "allowed", settle };
  }

  #getOrStart(counts: TtlCache<AttemptCount>, key: string): AttemptCount {
    const known = counts.get(key);
    if (known !== undefined) return known;
    const count = { startedAt: readClock(this.#clock), attempts: 0, exceeded: false };
    counts.set(key, count, { ttlMs: WINDOW_MS, bytes: BYTES_PER_COUNT });
    return count;
  }

  #limited(count: AttemptCount): LoginAttempt {
    const firstInWindow = !count.exceeded;
    count.exceeded = true;
    const retryAfterMs = Math.max(1000, WINDOW_MS - elapsedMs(this.#clock, count.startedAt));
    return { status: "limited", retryAfterMs, firstInWindow };
  }
}
