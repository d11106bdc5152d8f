import type { Instant } from "../../core/clock.ts";
import {
  invalidVerdict,
  unavailableVerdict,
  type InvalidVerdict,
  type JwtClaims,
  type UnavailableVerdict,
} from "../../core/verdict.ts";
import type { ClockMonitor } from "./clock-monitor.ts";
import type { ValidToken } from "./validation-result.ts";

/** How far `auth_time` may lie ahead of this clock, even when the tolerance is smaller. */
const MIN_TOLERANCE_MS = 5_000;

export interface AuthAgeContext {
  readonly clockMonitor: ClockMonitor;
  readonly toleranceMs: number;
}

/** The time of the login in epoch seconds. `undefined` when the token names none that can be used. */
export function readAuthTime(claims: Readonly<JwtClaims>): number | undefined {
  const { auth_time: authTime } = claims;
  return typeof authTime === "number" && Number.isFinite(authTime) ? authTime : undefined;
}

/**
 * Why the login is too old for `maxAgeMs`; `null` when it is recent enough. The result must not be cached. A token
 * without `auth_time` is refused, because nothing shows when its user logged in.
 *
 * After a clock step either time may be right. The login counts as old when it is so by both times.
 */
export function checkAuthAge(
  { clockMonitor, toleranceMs }: AuthAgeContext,
  { claims, guardedIssuer }: Pick<ValidToken, "claims" | "guardedIssuer">,
  now: Instant,
  maxAgeMs: number,
): InvalidVerdict | UnavailableVerdict | null {
  const refusal = { ...invalidVerdict("insufficient_user_authentication"), maxAuthAgeMs: maxAgeMs };
  const authTime = readAuthTime(claims);
  if (authTime === undefined) return refusal;
  const isRecentAt = (nowMs: number) => {
    const ageMs = nowMs - authTime * 1000;
    return ageMs <= maxAgeMs && ageMs >= -Math.max(toleranceMs, MIN_TOLERANCE_MS);
  };
  const stepMs = clockMonitor.steppedMs(now);
  const isRecent = isRecentAt(now.wall);
  const isCertain =
    stepMs === 0 ||
    clockMonitor.isIssuedAfterStep(authTime, guardedIssuer, now) ||
    isRecentAt(now.wall - stepMs) === isRecent;
  if (!isCertain) return unavailableVerdict("clock_uncertain", clockMonitor.acceptedInMs(now) || undefined);
  return isRecent ? null : refusal;
}
