/**
 * Time as everything here sees it. Injected everywhere, so that a whole system can run on a virtual clock.
 * `exp` and other dates are wall-clock; ages are the larger of wall-clock and monotonic elapsed time, because
 * a suspended machine's monotonic clock stands still and a wall clock can be set back.
 */
export interface Clock {
  /** Wall clock: epoch milliseconds, whole. */
  now(): number;
  /** Milliseconds from an arbitrary origin; never goes back, stands still while the machine is suspended. */
  monotonic(): number;
  /**
   * Calls `fn` once after `ms` milliseconds; the returned function cancels it. A timer does not keep the
   * process alive unless `keepAlive` is true.
   */
  after(ms: number, fn: () => void, keepAlive?: boolean): () => void;
}

/** Node's timers go no further, 24.8 days: a longer one would fire at once. */
const MAX_TIMER_MS = 2_147_483_647;

export const systemClock: Clock = {
  now: Date.now,
  monotonic: performance.now.bind(performance),
  after(ms, fn, keepAlive = false) {
    const timer = setTimeout(fn, Math.min(ms, MAX_TIMER_MS));
    if (!keepAlive) timer.unref();
    return () => clearTimeout(timer);
  },
};

/** A moment on both clocks. */
export interface Instant {
  readonly wall: number;
  readonly monotonic: number;
}

export function readClock(clock: Clock): Instant {
  return { wall: clock.now(), monotonic: clock.monotonic() };
}

/** Milliseconds since `then`: the larger of wall-clock and monotonic elapsed time. */
export function elapsedMs(clock: Clock, then: Instant): number {
  return elapsedMsBetween(then, readClock(clock));
}

/** Milliseconds from `then` to `now`: the larger of wall-clock and monotonic elapsed time. */
export function elapsedMsBetween(then: Instant, now: Instant): number {
  return Math.max(now.wall - then.wall, now.monotonic - then.monotonic);
}

/** Resolves after `ms`; rejects with the signal's reason when it aborts first. Keeps the process alive. */
export async function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const abort = () => {
      cancel();
      reject(signal?.reason as Error);
    };
    const cancel = clock.after(
      ms,
      () => {
        signal?.removeEventListener("abort", abort);
        resolve();
      },
      true,
    );
    signal?.addEventListener("abort", abort, { once: true });
  });
}
