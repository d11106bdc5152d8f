import type { Rules } from "../../core/rules.ts";
import type { Instant } from "../../core/clock.ts";
import {
  invalidVerdict,
  unavailableVerdict,
  type Decision,
  type UnavailableCause,
} from "../../core/verdict.ts";
import { checkTime } from "../../jwt/claims.ts";
import { type ValidationResult, type ValidToken } from "./validation-result.ts";
import type { GuardSettings } from "../settings.ts";
import type { ClockMonitor } from "./clock-monitor.ts";

/** The guard's own rules. */
export interface DecisionContext extends Pick<GuardSettings, "toleranceMs" | "maxRevocationAgeMs"> {
  readonly clockMonitor: ClockMonitor;
}

/** Why and for how long the authority has not been asked successfully. */
export interface Degradation {
  readonly cause: UnavailableCause;
  readonly sinceMs: number;
}

/** Rung 10: what a result means now, under the rules of this call. Nothing of it is ever kept. */
export function decide<C>(
  court: DecisionContext,
  result: ValidationResult,
  from: "memory" | "shared" | "verification",
  now: Instant,
  rules: Rules | undefined,
  degradation: Degradation | null = null,
): Decision<C> {
  if (result.status === "invalid") return invalidVerdict(result.reason);
  if (result.status === "unavailable") return unavailableVerdict(result.cause, result.retryAfterMs);
  const { claims, scopes, guardedIssuer } = result;
  const stepMs = court.clockMonitor.steppedMs(now);
  const timeReason = checkTime(claims, now.wall, court.toleranceMs);
  if (stepMs === 0 && timeReason !== null) return invalidVerdict(timeReason);
  if (isRevoked(result)) return invalidVerdict(refusalReason(result.expiresAt, now));
  if (stepMs !== 0) {
    const unsteppedTimeReason = checkTime(claims, now.wall - stepMs, court.toleranceMs);
    if (timeReason !== null && unsteppedTimeReason !== null) return invalidVerdict(timeReason);
    // What was issued after a jump ahead lies in the future of the clock that did not see it.
    const isRevived = unsteppedTimeReason === "expired" && !court.clockMonitor.isIssuedAfterStep(claims.iat);
    if (timeReason !== null || isRevived) {
      return unavailableVerdict("clock_uncertain", court.clockMonitor.acceptedInMs(now) || undefined);
    }
  }
  const revocationAgeMs =
    guardedIssuer.revocationFollower === undefined ? null : guardedIssuer.revocationFollower.ageMs(now);
  if (isViewTooOld(court, revocationAgeMs, rules?.maxRevocationAgeMs))
    return unavailableVerdict("revocations_stale");
  if (rules?.scopes !== undefined) {
    const missing = rules.scopes.filter((scope) => !scopes.includes(scope));
    if (missing.length > 0) return { status: "forbidden", missing };
  }
  return {
    status: "valid",
    claims: claims as ValidToken["claims"] & Readonly<C>,
    subject: result.subject,
    scopes,
    sessionId: result.sessionId,
    expiresAt: result.expiresAt,
    basis: guardedIssuer.authority !== undefined && result.isComplete ? "authority" : "verification",
    from,
    degraded: degradation,
    revocationAgeMs,
  };
}

/**
 * Why a token is refused that was revoked, or that the authority says no to: it says so to what is over, too, and sooner
 * than we do, who allow for a clock that is wrong. A client may come back with another one then.
 */
export function refusalReason(expiresAt: number, now: Instant): "expired" | "revoked" {
  return now.wall >= expiresAt ? "expired" : "revoked";
}

/** Entries are only ever added to the view: without news, what was clear is clear. */
function isRevoked(result: ValidToken): boolean {
  const { revocationView } = result.guardedIssuer;
  if (result.revocationsVersion === revocationView.changeCount) return false;
  if (revocationView.isRevoked(result.claims, result.kid, result.signedDigest)) return true;
  result.revocationsVersion = revocationView.changeCount;
  return false;
}

/** Without a log a call that sets a bound cannot be served. A bound that is no number is never met. */
function isViewTooOld(court: DecisionContext, ageMs: number | null, narrowed: number | undefined): boolean {
  if (ageMs === null) return narrowed !== undefined && narrowed !== Infinity;
  return !(ageMs <= court.maxRevocationAgeMs) || (narrowed !== undefined && !(ageMs <= narrowed));
}
