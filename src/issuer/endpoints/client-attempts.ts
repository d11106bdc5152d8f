import { networkOf } from "../../core/address.ts";
import { elapsedMs, readClock, type Clock, type Instant } from "../../core/clock.ts";
import { TtlCache } from "../../resilience/ttl-cache.ts";

/** Wrong secrets of one source within this window. Later ones do not extend it. */
const WINDOW_MS = 15 * 60_000;
const MAX_WRONG = 20;

/** Memory for about 8,000 sources. A flood of sources evicts those that were not used lately. */
const MAX_BYTES = 2 * 1024 * 1024;
const BYTES_PER_SOURCE = 256;

interface WrongSecrets {
  readonly startedAt: Instant;
  count: number;
}

/** The result of a wrong secret. `firstLimited` is true once in a window. */
interface WrongSecretResult {
  /** `null` while the source is within its limit. */
  readonly retryAfterMs: number | null;
  readonly firstLimited: boolean;
}

/**
 * Counts wrong client secrets by source. A source past the limit gets 429 for further wrong secrets, and they are no
 * longer audited. The right secret is always accepted, because a stranger behind the same address must not lock a client
 * out (law 6). A secret has at least 16 characters, so it cannot be guessed at the speed of requests.
 */
export class ClientAttempts {
  readonly #clock: Clock;
  readonly #wrong: TtlCache<WrongSecrets>;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#wrong = new TtlCache({ maxBytes: MAX_BYTES, clock });
  }

  /** All requests without a source share one count. */
  recordWrong(source: string | undefined): WrongSecretResult {
    const network = networkOf((source ?? "unknown").slice(0, 64));
    let wrong = this.#wrong.get(network);
    if (wrong === undefined) {
      wrong = { startedAt: readClock(this.#clock), count: 0 };
      this.#wrong.set(network, wrong, { ttlMs: WINDOW_MS, bytes: BYTES_PER_SOURCE });
    }
    wrong.count++;
    if (wrong.count <= MAX_WRONG) return { retryAfterMs: null, firstLimited: false };
    const retryAfterMs = Math.max(1000, WINDOW_MS - elapsedMs(this.#clock, wrong.startedAt));
    return { retryAfterMs, firstLimited: wrong.count === MAX_WRONG + 1 };
  }
}
