import type { Clock } from "../core/clock.ts";

/** Reads seconds or a date (RFC 9110 §10.2.3), as milliseconds from now. `null` without a usable header. */
export function readRetryAfterMs(headers: Headers, clock: Clock, maxMs: number): number | null {
  const header = headers.get("retry-after");
  if (header === null) return null;
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - clock.now();
  return Number.isNaN(ms) ? null : Math.min(maxMs, Math.max(0, ms));
}
