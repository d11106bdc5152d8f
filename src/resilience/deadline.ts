import type { Clock } from "../core/clock.ts";
import { HoldfastError } from "../core/errors.ts";

/** A timer that comes so late shows that the event loop was blocked. */
const BLOCKED_LOOP_MS = 50;

/**
 * Calls `fn` once after `ms`; the returned function prevents it. While the event loop is blocked nothing that arrives
 * can be read, and late timers run first. So the last stretch is waited for by itself, and once, if a timer is late,
 * for as long again as it is late, at most `ms`.
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
 * Runs `work` with a signal that aborts at the deadline or with the caller's own signal, and settles then even
 * if `work` ignores it. Past the deadline it rejects with `timeout`, naming `what` and the time.
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
  // Made when it is needed: its stack costs more than the whole wait.
  const late = () => new HoldfastError("timeout", `${what} took longer than ${ms} ms`);
  const stop = blockTolerantTimeout(clock, ms, () => controller.abort(late()));
  const give = () => controller.abort(signal?.reason);
  signal?.addEventListener("abort", give, { once: true });
  const over = new Promise<never>((_, reject) => {
    controller.signal.addEventListener("abort", () => reject(controller.signal.reason as Error), {
      once: true,
    });
  });
  try {
    return await Promise.race([work(controller.signal), over]);
  } finally {
    stop();
    signal?.removeEventListener("abort", give);
  }
}

/** Waits for `promise` no longer than the caller's own signal allows; the promise itself goes on. */
export async function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await promise;
  const settled = new AbortController();
  const over = new Promise<never>((_, reject) => {
    const once = { once: true, signal: settled.signal };
    const giveUp = () => reject(signal.reason as Error);
    if (signal.aborted) giveUp();
    signal.addEventListener("abort", giveUp, once);
  });
  try {
    // Also where it is given up before the wait: if it fails later, somebody has to have listened.
    return await Promise.race([over, promise]);
  } finally {
    settled.abort();
  }
}
