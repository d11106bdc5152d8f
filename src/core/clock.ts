/**
 * The only source of time. Every part takes a clock, so that a whole system can run on a virtual one.
 *
 * `exp` and other dates are wall-clock times. Ages are the larger of wall-clock and monotonic elapsed time. The
 * monotonic clock stands still while the machine is suspended, and the wall clock can be set back.
 */
export interface Clock {
  /** The wall clock: epoch milliseconds, a whole number. */
  now(): number;
  /** Milliseconds since an arbitrary moment. It never decreases, and stands still while the machine is suspended. */
  monotonic(): number;
  /**
   * Calls `fn` once after `ms` milliseconds. The returned function cancels the timer. A timer does not keep the
   * process alive unless `keepAlive` is true.
   */
  after(ms: number, fn: () => void, keepAlive?: boolean): () => void;
  /**
   * Calls `fn` when the callbacks that are ready have run. Without this method, the event loop of the process does. A
   * clock with it decides the order of all work, so no token and no password is verified in another thread.
   */
  turn?(fn: () => void): void;
}

/** The longest delay of a Node timer, 24.8 days. A timer with a longer delay would fire at once. */
const MAX_TIMER_MS = 2_147_483_647;

/** The clocks and timers of this process. */
export const systemClock: Clock = {
  now: Date.now,
  monotonic: performance.now.bind(performance),
  after(ms, fn, keepAlive = false) {
    const timer = setTimeout(fn, Math.min(ms, MAX_TIMER_MS));
    if (!keepAlive) timer.unref();
    return () => clearTimeout(timer);
  },
};

/** Calls `fn` in the next turn of the clock, which is that of the event loop for most clocks. */
export function afterTurn(clock: Clock, fn: () => void): void {
  if (clock.turn === undefined) setImmediate(fn);
  else clock.turn(fn);
}

/** Resolves in the next turn of the clock. */
export async function awaitTurn(clock: Clock): Promise<void> {
  await new Promise<void>((resolve) => afterTurn(clock, resolve));
}

/** One moment, read from both clocks. */
export interface Instant {
  readonly wall: number;
  readonly monotonic: number;
}

/** Reads both clocks. */
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

/**
 * Resolves after `ms`. Rejects with the signal's reason when the signal aborts first. Keeps the process alive unless
 * `keepAlive` is false.
 */
export async function sleep(
  clock: Clock,
  ms: number,
  signal?: AbortSignal,
  keepAlive: boolean = true,
): Promise<void> {
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
      keepAlive,
    );
    signal?.addEventListener("abort", abort, { once: true });
  });
}
