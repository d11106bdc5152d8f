import type { Clock } from "../src/core/clock.ts";

/** Calls `fn` after `ms`. Without a delay it is called in this turn of the event loop, and never at once. */
export function later(clock: Clock, ms: number, fn: () => void): void {
  if (ms > 0) clock.after(ms, fn);
  else queueMicrotask(fn);
}
