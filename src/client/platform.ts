import { MAX_TIMER_MS } from "./timing.ts";
import type { ClientClock } from "./types.ts";

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

/** Whether the device says that it has no network. Only browsers say so. */
export const isOffline = (): boolean => (navigator as Partial<Navigator>).onLine === false;

/** Reads a JSON object. Any other text is an empty object. */
export const parseObject = (text: string): Readonly<Record<string, unknown>> => {
  try {
    return Object(JSON.parse(text)) as Readonly<Record<string, unknown>>;
  } catch {
    return {};
  }
};

/** Settles as `work` does. Rejects with `undefined` after `ms` when it has not settled. */
export const within = async <T>(
  { clock }: { clock: ClientClock },
  ms: number,
  work: Promise<T>,
): Promise<T> =>
  await new Promise((resolve, reject) => {
    const cancel = clock.after(ms, reject);
    work.then(resolve, reject).finally(cancel);
  });

/** Creates a timer. Each call ends the one before, and a call without a function sets none. */
export const createTimer = (clock: ClientClock): ((ms?: number, fn?: () => void) => void) => {
  let cancel = (): void => undefined;
  return (ms = 0, fn) => {
    cancel();
    if (fn) cancel = clock.after(ms, fn);
  };
};
