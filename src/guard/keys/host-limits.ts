import { readClock, type Clock } from "../../core/clock.ts";
import { HoldfastError } from "../../core/errors.ts";
import { remainingMs, type Countdown } from "../../resilience/countdown.ts";
import { withDeadline } from "../../resilience/deadline.ts";

/** The most attempts at one host at a time, over all known issuers of a guard. */
const MAX_CONCURRENT = 8;
/** The longest `Retry-After` of one issuer's endpoint that counts for the other issuers of its host. */
const MAX_PAUSE_MS = 60_000;
/** The statuses with which a server asks all of its clients for fewer requests (RFC 6585 §4, RFC 9110 §15.6.4). */
const OVERLOAD_STATUSES = new Set([429, 503]);

interface HostState {
  running: number;
  /** Start the attempts that wait, in their order. */
  readonly waiting: Set<() => void>;
  pause: Countdown | null;
}

/** The requests for key sets, as a key source makes them. */
export type HostRequests = Pick<HostLimits, "run" | "throwIfPaused" | "recordAnswer">;

/** Limits the requests for key sets by host, because many issuers of one guard may have the same provider. */
export class HostLimits {
  readonly #clock: Clock;
  readonly #maxConcurrent: number;
  readonly #hosts = new Map<string, HostState>();

  constructor(clock: Clock, maxConcurrent: number = MAX_CONCURRENT) {
    this.#clock = clock;
    this.#maxConcurrent = maxConcurrent;
  }

  /**
   * Runs an attempt as soon as the host of `url` has a free place. The wait is bounded by `timeoutMs`, and does not
   * count for the time of the attempt. Rejects with `timeout` after that wait, and when `signal` aborts.
   */
  async run<T>(url: string, timeoutMs: number, signal: AbortSignal, attempt: () => Promise<T>): Promise<T> {
    const state = this.#stateOf(url);
    if (state.running < this.#maxConcurrent) state.running++;
    else await this.#takePlace(state, timeoutMs, signal);
    try {
      return await attempt();
    } finally {
      this.#release(state);
      this.#dropIdle();
    }
  }

  /** Throws `upstream_failed` while the host of `url` has asked for no requests. */
  throwIfPaused(url: string): void {
    const leftMs = remainingMs(this.#clock, this.#hosts.get(hostOf(url))?.pause ?? null);
    if (leftMs === 0) return;
    const message = "the host of the key set asked to wait before the next request";
    throw new HoldfastError("upstream_failed", message, { retryAfterMs: Math.ceil(leftMs) });
  }

  /** Records the time for which an answer of the host of `url` asks for no requests. */
  recordAnswer(url: string, status: number, retryAfterMs: number): void {
    if (!OVERLOAD_STATUSES.has(status) || retryAfterMs === 0) return;
    const pause = { since: readClock(this.#clock), ms: Math.min(retryAfterMs, MAX_PAUSE_MS) };
    this.#stateOf(url).pause = pause;
  }

  async #takePlace(state: HostState, timeoutMs: number, signal: AbortSignal): Promise<void> {
    const { promise: turn, resolve: start } = Promise.withResolvers<void>();
    state.waiting.add(start);
    try {
      const what = "a place among the requests to the host of the key set";
      await withDeadline(this.#clock, what, timeoutMs, async () => await turn, signal);
    } catch (error) {
      // A place that arrived with the deadline goes to the next attempt.
      if (!state.waiting.delete(start)) this.#release(state);
      throw error;
    }
  }

  /** The next attempt takes over the place, so the count stays. */
  #release(state: HostState): void {
    const [startNext] = state.waiting;
    if (startNext === undefined) state.running--;
    else {
      state.waiting.delete(startNext);
      startNext();
    }
  }

  #stateOf(url: string): HostState {
    const host = hostOf(url);
    const state = this.#hosts.get(host) ?? { running: 0, waiting: new Set(), pause: null };
    this.#hosts.set(host, state);
    return state;
  }

  /** Discovered hosts may change, so the map keeps only those in use. */
  #dropIdle(): void {
    for (const [host, { running, pause }] of this.#hosts) {
      if (running === 0 && remainingMs(this.#clock, pause) === 0) this.#hosts.delete(host);
    }
  }
}

function hostOf(url: string): string {
  return URL.parse(url)?.host ?? "";
}
