import { elapsedMs, type Clock, type Instant } from "../core/clock.ts";

/** A wait of `ms` milliseconds that began at `since`. It ends when either clock shows that `ms` have elapsed. */
export interface Countdown {
  readonly since: Instant;
  readonly ms: number;
}

/** The milliseconds left, at least 0. The result is 0 when `countdown` is `null`. */
export function remainingMs(clock: Clock, countdown: Countdown | null): number {
  return countdown === null ? 0 : Math.max(0, countdown.ms - elapsedMs(clock, countdown.since));
}
