import type { Instant } from "../../core/clock.ts";
import { refusalDetail } from "../../core/refusal-detail.ts";
import { missingScopes, type Rules } from "../../core/rules.ts";
import {
  invalidVerdict,
  unavailableVerdict,
  type Decision,
  type InvalidVerdict,
  type UnavailableCause,
  type UnavailableVerdict,
} from "../../core/verdict.ts";
import { audienceOf, isForAudience } from "../../jwt/claim-sources.ts";
import { checkTime, issuedAheadMs, refuseClaimRules } from "../../jwt/claims.ts";
import type { GuardSettings } from "../settings.ts";
import { checkAuthAge } from "./auth-age.ts";
import type { ClockMonitor } from "./clock-monitor.ts";
import type { ValidationResult, ValidToken } from "./validation-result.ts";

/** The guard's own rules, which apply to every decision. */
export interface DecisionContext extends Pick<
  GuardSettings,
  "toleranceMs" | "maxRevocationAgeMs" | "maxAuthAgeMs"
> {
  readonly clockMonitor: ClockMonitor;
}

/** Why the authority's answer is missing, and for how long. */
export interface Degradation {
  readonly cause: UnavailableCause;
  readonly sinceMs: number;
}

/** The longest wait that a client is told when the token was issued in the future. */
const MAX_RETRY_AFTER_MS = 60_000;

/** Step 10: what a validation result means now, under the rules of this call. Law 9: the decision is never cached. */
export function decide<C>(
  context: DecisionContext,
  result: ValidationResult,
  from: "memory" | "shared" | "verification",
  now: Instant,
  rules: Rules | undefined,
  degradation: Degradation | null = null,
): Decision<C> {
  if (result.status === "invalid") return invalidVerdict(result.reason, result.detail);
  if (result.status === "unavailable") return unavailableVerdict(result.cause, result.retryAfterMs);
  const { claims, scopes, guardedIssuer } = result;
  const refusal = refuseByTimeOrRevocation(context, result, now);
  if (refusal !== null) return refusal;
  const aheadMs = issuedAheadMs(claims, now.wall, context.toleranceMs);
  if (aheadMs > 0) return unavailableVerdict("clock_uncertain", Math.min(aheadMs, MAX_RETRY_AFTER_MS));
  const revocationAgeMs = guardedIssuer.revocationFollower?.ageMs(now) ?? null;
  if (isViewTooOld(context, revocationAgeMs, rules?.maxRevocationAgeMs)) {
    return unavailableVerdict("revocations_stale");
  }
  const ruleRefusal = refuseByRules<C>(context, result, now, rules);
  if (ruleRefusal !== null) return ruleRefusal;
  return {
    status: "valid",
    claims: claims as ValidToken["claims"] & Readonly<C>,
    subject: result.subject,
    scopes,
    sessionId: result.sessionId,
    expiresAt: result.expiresAt,
    basis: result.isComplete && isKnownToAuthority(result) ? "authority" : "verification",
    from,
    degraded: degradation,
    revocationAgeMs,
  };
}

/** Whether the authority is asked about the token. Only an authority makes a token valid that no key verified. */
function isKnownToAuthority({ guardedIssuer, key }: ValidToken): boolean {
  return guardedIssuer.jwtAuthority !== undefined || key === null;
}

/** `null` when the token fulfils the rules of the call, and the guard's bound on the age of the login. */
function refuseByRules<C>(
  context: DecisionContext,
  { claims, scopes, guardedIssuer }: ValidToken,
  now: Instant,
  rules: Rules | undefined,
): Exclude<Decision<C>, { status: "valid" }> | null {
  if (rules?.audience !== undefined) {
    const { issuer, audienceFrom } = guardedIssuer.claimsPolicy;
    if (!isForAudience(claims, rules.audience, audienceFrom)) {
      const named = audienceOf(claims, audienceFrom);
      const detail = refusalDetail(issuer, audienceFrom, [rules.audience].flat(), named);
      return invalidVerdict("wrong_audience", detail);
    }
  }
  if (rules?.claims !== undefined) {
    const refusal = refuseClaimRules(claims, rules.claims, { issuer: guardedIssuer.claimsPolicy.issuer });
    if (refusal !== null) return refusal;
  }
  if (rules?.scopes !== undefined || rules?.anyScope !== undefined) {
    const missing = missingScopes(rules, scopes);
    if (missing.length > 0) return { status: "forbidden", missing };
  }
  const maxAuthAgeMs = Math.min(context.maxAuthAgeMs, rules?.maxAuthAgeMs ?? Infinity);
  return maxAuthAgeMs === Infinity
    ? null
    : checkAuthAge(context, { claims, guardedIssuer }, now, maxAuthAgeMs);
}

/** `null` when the token is in time and not revoked. */
function refuseByTimeOrRevocation(
  context: DecisionContext,
  token: ValidToken,
  now: Instant,
): InvalidVerdict | UnavailableVerdict | null {
  const stepMs = context.clockMonitor.steppedMs(now);
  const reason = checkTime(token.claims, now.wall, context.toleranceMs);
  // An issuer in the same process must notice each step that makes a token expire, also one that is taken back later.
  const isIssuedAfterStep =
    (stepMs !== 0 || reason !== null) && token.guardedIssuer.isIssuedAfterStep?.(token.claims) === true;
  if (stepMs === 0 && reason !== null) return invalidVerdict(reason);
  if (isRevoked(token)) return invalidVerdict(refusalReason(token.expiresAt, now));
  return stepMs === 0 ? null : refuseAfterClockStep(context, token, now, stepMs, reason, isIssuedAfterStep);
}

/**
 * Either time may be right after a clock step. The token is invalid only when both times refuse it, and its validity is
 * uncertain when one does. After a second step, the time before that step counts as well. A token that was issued after
 * the step may lie in the future of the old time.
 */
function refuseAfterClockStep(
  { clockMonitor, toleranceMs }: DecisionContext,
  { claims, guardedIssuer }: ValidToken,
  now: Instant,
  stepMs: number,
  reason: ReturnType<typeof checkTime>,
  isIssuedAfterStep: boolean,
): InvalidVerdict | UnavailableVerdict | null {
  clockMonitor.noteIssuedAt(claims.iat, guardedIssuer, now);
  const reasonBeforeStep = checkTime(claims, now.wall - stepMs, toleranceMs);
  const earlierMs = now.wall - clockMonitor.partlyAheadMs(now);
  if (reason !== null && reasonBeforeStep !== null && checkTime(claims, earlierMs, toleranceMs) !== null) {
    return invalidVerdict(reason);
  }
  const isRevived =
    reasonBeforeStep === "expired" &&
    !isIssuedAfterStep &&
    !clockMonitor.isIssuedAfterStep(claims.iat, guardedIssuer, now);
  if (reason === null && !isRevived) return null;
  return unavailableVerdict("clock_uncertain", clockMonitor.acceptedInMs(now) || undefined);
}

/**
 * The reason for a token that is revoked or that the authority refuses. The authority also refuses expired tokens, and
 * it has no tolerance. `expired` tells the client that a new token will do.
 */
export function refusalReason(expiresAt: number, now: Instant): "expired" | "revoked" {
  return now.wall >= expiresAt ? "expired" : "revoked";
}

/** The view only grows. A token that was not revoked stays so until the view's `changeCount` changes. */
function isRevoked(token: ValidToken): boolean {
  const { revocationView } = token.guardedIssuer;
  if (token.revocationsVersion === revocationView.changeCount) return false;
  if (revocationView.isRevoked(token.claims, token.kid, token.signedDigest, token)) return true;
  token.revocationsVersion = revocationView.changeCount;
  return false;
}

/** A call with a bound cannot be served without a log. The negated comparisons refuse a bound that is `NaN`. */
export function isViewTooOld(
  { maxRevocationAgeMs }: DecisionContext,
  ageMs: number | null,
  routeMaxMs: number | undefined,
): boolean {
  if (ageMs === null) return routeMaxMs !== undefined && routeMaxMs !== Infinity;
  return !(ageMs <= maxRevocationAgeMs) || (routeMaxMs !== undefined && !(ageMs <= routeMaxMs));
}
