import type { Instant } from "../core/clock.ts";
import { invalid, unavailable, type Decision, type UnavailableCause } from "../core/verdict.ts";
import { checkTime } from "../jwt/claims.ts";
import { type Finding, type Known } from "./finding.ts";
import type { GuardSettings } from "./settings.ts";
import type { Timekeeper } from "./timekeeper.ts";
import type { Rules } from "./types.ts";

/** The guard's own rules. */
export interface Court extends Pick<GuardSettings, "toleranceMs" | "maxRevocationAgeMs"> {
  readonly timekeeper: Timekeeper;
}

/** Why and for how long the authority has not been asked successfully. */
export interface Lapse {
  readonly cause: UnavailableCause;
  readonly sinceMs: number;
}

/** Rung 10: what a finding means now, under the rules of this call. Nothing of it is ever kept. */
export function decide<C>(
  court: Court,
  finding: Finding,
  from: "memory" | "shared" | "origin",
  now: Instant,
  rules: Rules | undefined,
  lapse: Lapse | null = null,
): Decision<C> {
  if (finding.status === "invalid") return invalid(finding.reason);
  if (finding.status === "unavailable") return unavailable(finding.cause, finding.retryAfterMs);
  const { claims, scopes, realm } = finding;
  const stepMs = court.timekeeper.steppedMs(now);
  const untimely = checkTime(claims, now.wall, court.toleranceMs);
  if (stepMs === 0 && untimely !== null) return invalid(untimely);
  if (isRevoked(finding)) return invalid(whyRefused(finding.expiresAt, now));
  if (stepMs !== 0) {
    const otherwise = checkTime(claims, now.wall - stepMs, court.toleranceMs);
    if (untimely !== null && otherwise !== null) return invalid(untimely);
    // What was issued after a jump ahead lies in the future of the clock that did not see it.
    const isBackToLife = otherwise === "expired" && !court.timekeeper.issuedSince(claims.iat);
    if (untimely !== null || isBackToLife) {
      return unavailable("clock_uncertain", court.timekeeper.believedInMs(now) || undefined);
    }
  }
  const revocationAgeMs = realm.revocations === undefined ? null : realm.revocations.ageMs(now);
  if (tooOld(court, revocationAgeMs, rules?.maxRevocationAgeMs)) return unavailable("revocations_stale");
  if (rules?.scopes !== undefined) {
    const missing = rules.scopes.filter((scope) => !scopes.includes(scope));
    if (missing.length > 0) return { status: "forbidden", missing };
  }
  return {
    status: "valid",
    claims: claims as Known["claims"] & Readonly<C>,
    subject: finding.subject,
    scopes,
    sessionId: finding.sessionId,
    expiresAt: finding.expiresAt,
    basis: realm.authority !== undefined && finding.isWhole ? "authority" : "proof",
    from,
    degraded: lapse,
    revocationAgeMs,
  };
}

/**
 * Why a token is refused that was revoked, or that the authority says no to: it says so to what is over, too, and sooner
 * than we do, who allow for a clock that is wrong. A client may come back with another one then.
 */
export function whyRefused(expiresAt: number, now: Instant): "expired" | "revoked" {
  return now.wall >= expiresAt ? "expired" : "revoked";
}

/** Entries are only ever added to the view: without news, what was clear is clear. */
function isRevoked(finding: Known): boolean {
  const { view } = finding.realm;
  if (finding.clearedAt === view.news) return false;
  if (view.revokes(finding.claims, finding.kid, finding.signedDigest)) return true;
  finding.clearedAt = view.news;
  return false;
}

/** Without a log a call that sets a bound cannot be served. A bound that is no number is never met. */
function tooOld(court: Court, ageMs: number | null, narrowed: number | undefined): boolean {
  if (ageMs === null) return narrowed !== undefined && narrowed !== Infinity;
  return !(ageMs <= court.maxRevocationAgeMs) || (narrowed !== undefined && !(ageMs <= narrowed));
}
