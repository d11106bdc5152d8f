import type { Clock } from "../core/clock.ts";
import { HoldfastError } from "../core/errors.ts";

/** A timer that fires this late shows that the event loop was blocked. */
const BLOCKED_LOOP_MS = 50;

/**
 * Calls `fn` once after `ms`. The returned function cancels the call.
 *
 * A blocked event loop reads nothing from the network, and afterwards runs its late timers first. An answer that arrived
 * in time would then count as late. A separate timer therefore covers the end of the time. If a timer fires late,
 * the wait is extended once, by as much as the timer was late and at most by `ms`.
 */
export function blockTolerantTimeout(clock: Clock, ms: number, fn: () => void): () => void {
  const lastMs = Math.min(BLOCKED_LOOP_MS, ms / 2);
  let wasLate = false;
  let stop: () => void;
  const wait = (forMs: number, then: () => void) => {
    const due = clock.monotonic() + forMs;
    const onTime = () => {
      const lateMs = clock.monotonic() - due;
      if (wasLate || lateMs < lastMs) return then();
      wasLate = true;
      wait(Math.min(lateMs, ms), fn);
    };
    stop = clock.after(forMs, onTime, true);
  };
  wait(ms - lastMs, () => wait(lastMs, fn));
  return () => stop();
}

/**
 * Runs `work` with a signal that aborts at the deadline or with the caller's own signal. The promise settles then, even
 * if `work` ignores its signal. After the deadline it rejects with `timeout`, and the message names `what` and the time.
 */
export async function withDeadline<T>(
  clock: Clock,
  what: string,
  ms: number,
  work: (signal: AbortSignal) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  signal?.throwIfAborted();
  const controller = new AbortController();
  // The error is made only when it is needed: capturing its stack costs more than the whole wait.
  const stop = blockTolerantTimeout(clock, ms, () => controller.abort(timeoutError(what, ms)));
  const forwardAbort = () => controller.abort(signal?.reason);
  signal?.addEventListener("abort", forwardAbort, { once: true });
  const aborted = new Promise<never>((_, reject) => {
    controller.signal.addEventListener("abort", () => reject(controller.signal.reason as Error), {
      once: true,
    });
  });
  try {
    return await Promise.race([work(controller.signal), aborted]);
  } finally {
    stop();
    signal?.removeEventListener("abort", forwardAbort);
  }
}

/**
 * Waits for `promise`. After `ms` it rejects with `timeout`, and the message names `what` and the time. The work behind the
 * promise continues. It costs less than {@link withDeadline}, which makes a signal.
 */
export async function withTimeLimit<T>(
  clock: Clock,
  what: string,
  ms: number,
  promise: Promise<T>,
): Promise<T> {
  let stop = () => {};
  const expired = new Promise<never>((_, reject) => {
    stop = blockTolerantTimeout(clock, ms, () => reject(timeoutError(what, ms)));
  });
  try {
    return await Promise.race([promise, expired]);
  } finally {
    stop();
  }
}

function timeoutError(what: string, ms: number): HoldfastError {
  return new HoldfastError("timeout", `${what} took longer than ${ms} ms`);
}

/** Waits for `promise` until the caller's own signal aborts. The work behind the promise continues. */
export async function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await promise;
  let stop = () => {};
  const aborted = new Promise<never>((_, reject) => {
    const rejectWithReason = () => reject(signal.reason as Error);
    if (signal.aborted) rejectWithReason();
    signal.addEventListener("abort", rejectWithReason, { once: true });
    stop = () => signal.removeEventListener("abort", rejectWithReason);
  });
  try {
    // The race listens to `promise` even when the signal has aborted already, so that a later failure is handled.
    return await Promise.race([aborted, promise]);
  } finally {
    stop();
  }
}
