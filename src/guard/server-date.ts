import type { Clock, Instant } from "../core/clock.ts";
import type { JsonResponse } from "./fetch-json.ts";
import { cachedForMs } from "./keys/cache-control.ts";

/** The header `Date` has whole seconds. */
const SECOND_MS = 1_000;

/** The wall clock of a server, as one of its responses showed it. */
export interface ServerDate {
  /** The earliest and the latest time of the server when the response arrived, in epoch milliseconds. */
  readonly earliestMs: number;
  readonly latestMs: number;
  /** Monotonic time of this process at the request, and at the arrival of the response. */
  readonly sentAt: number;
  readonly arrivedAt: number;
  /** Wall-clock time of this process at the arrival, in epoch milliseconds. */
  readonly arrivedAtWallMs: number;
}

/** Clocks that differ by less agree. Guards tolerate a few seconds, and a response takes time. */
const DIFFERENCE_MS = 5_000;

/** A smaller difference between two readings of both clocks is drift. */
const STEP_MS = 1_000;

/** Keeps the last time that the responses of an issuer showed, and the last one before the clock of this process stepped. */
export class ServerClock {
  /** `null` before the first response with the header `Date`. */
  last: ServerDate | null = null;
  /** The last one that arrived before the latest step of the clock of this process. */
  #beforeStep: ServerDate | null = null;
  readonly record = (date: ServerDate): void => {
    if (this.last !== null && !arrivedAtOffset(this.last, offsetOf(date))) this.#beforeStep = this.last;
    this.last = date;
  };

  /** The last one that arrived while the wall clock of this process was ahead of its monotonic clock by `offsetMs`. */
  lastAtOffset(offsetMs: number): ServerDate | null {
    return [this.last, this.#beforeStep].find((date) => date && arrivedAtOffset(date, offsetMs)) ?? null;
  }

  /**
   * How far the wall clock of this process is ahead of that of the server, in milliseconds. 0 when they agree within five
   * seconds. `null` before the server has shown its time.
   */
  differenceMs(now: Instant): number | null {
    if (this.last === null) return null;
    const { earliestMs, latestMs, arrivedAt, arrivedAtWallMs } = this.last;
    const elapsedMs = now.monotonic - arrivedAt;
    const before = distance(arrivedAtWallMs, earliestMs, latestMs);
    const current = distance(now.wall, earliestMs + elapsedMs, latestMs + elapsedMs);
    // The clock was corrected since, or the machine was suspended, during which the monotonic clock stood still.
    return Math.abs(before) < DIFFERENCE_MS || Math.abs(current) < DIFFERENCE_MS ? 0 : Math.round(current);
  }
}

/** Wall minus monotonic time of this process at the arrival of the response. */
function offsetOf({ arrivedAt, arrivedAtWallMs }: ServerDate): number {
  return arrivedAtWallMs - arrivedAt;
}

function arrivedAtOffset(date: ServerDate, offsetMs: number): boolean {
  return Math.abs(offsetOf(date) - offsetMs) < STEP_MS;
}

/** How far a value lies above a range. Negative below it, 0 in it. */
function distance(value: number, least: number, greatest: number): number {
  return Math.min(0, value - least) + Math.max(0, value - greatest);
}

interface ServerDateContext {
  readonly clock: Clock;
  readonly onServerDate?: (date: ServerDate) => void;
}

/**
 * Reports the header `Date` of a response that has just arrived (RFC 9110 §6.6.1). `sentAt` is the monotonic time of the
 * request. A response with another status than 200 may be from a proxy, so its time is not reported.
 */
export function reportServerDate(
  { clock, onServerDate }: ServerDateContext,
  { status, headers }: JsonResponse,
  sentAt: number,
): void {
  const date = Date.parse(headers.get("date") ?? "");
  if (status !== 200 || Number.isNaN(date)) return;
  const arrivedAt = clock.monotonic();
  const latestMs = date + SECOND_MS + cachedForMs(headers) + (arrivedAt - sentAt);
  onServerDate?.({ earliestMs: date, latestMs, sentAt, arrivedAt, arrivedAtWallMs: clock.now() });
}
