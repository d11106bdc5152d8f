import type { ClientClock } from "./types.ts";

/** The longest delay of a timer, 24.8 days. A timer with a longer delay fires at once. */
const MAX_TIMER_MS = 2_147_483_647;

/** The clocks of the device. They are read at each call, so that a page can replace them. */
export const deviceClock: ClientClock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, fn) {
    const timer: unknown = setTimeout(fn, Math.min(ms, MAX_TIMER_MS));
    // In Node, a timer must not keep the process alive.
    (timer as { unref?: () => void }).unref?.();
    return () => clearTimeout(timer as number);
  },
};

/** The reason of a rejection by `within`. */
export class TimedOut extends Error {}

/** Settles as `work` does. Rejects with `TimedOut` after `ms` when it has not settled. */
export async function within<T>(clock: ClientClock, ms: number, work: Promise<T>): Promise<T> {
  return await new Promise<T>((resolve, reject) => {
    const cancel = clock.after(ms, () => reject(new TimedOut()));
    work.then(resolve, reject).finally(cancel);
  });
}
