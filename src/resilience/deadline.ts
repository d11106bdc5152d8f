import type { Clock } from "../core/clock.ts";
import { HoldfastError } from "../core/errors.ts";

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
  const late = new HoldfastError("timeout", `${what} took longer than ${ms} ms`);
  const stop = clock.after(ms, () => controller.abort(late), true);
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
export async function abandonable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await promise;
  signal.throwIfAborted();
  const settled = new AbortController();
  const over = new Promise<never>((_, reject) => {
    const once = { once: true, signal: settled.signal };
    signal.addEventListener("abort", () => reject(signal.reason as Error), once);
  });
  try {
    return await Promise.race([promise, over]);
  } finally {
    settled.abort();
  }
}
