import type { Instant } from "../core/clock.ts";
import type { Decision } from "../core/verdict.ts";
import { checkTime } from "../jwt/claims.ts";
import { invalid, unavailable, type Finding, type Proven } from "./finding.ts";
import type { RevocationFollower } from "./revocation-feed.ts";
import type { RevocationView } from "./revocation-view.ts";
import type { GuardSettings } from "./settings.ts";
import type { Rules } from "./types.ts";

/** The guard's own rules, and the revocations that it knows of. */
export interface Court extends Pick<GuardSettings, "toleranceMs" | "maxRevocationAgeMs"> {
  readonly revocations: RevocationFollower | undefined;
}

/** Rung 10: what a finding means now, under the rules of this call. Nothing of it is ever kept. */
export function decide<C>(
  court: Court,
  finding: Finding,
  from: "memory" | "origin",
  now: Instant,
  rules: Rules | undefined,
): Decision<C> {
  if (finding.status === "invalid") return invalid(finding.reason);
  if (finding.status === "unavailable") return unavailable(finding.cause, finding.retryAfterMs);
  const { claims, scopes } = finding;
  const untimely = checkTime(claims, now.wall, court.toleranceMs);
  if (untimely !== null) return invalid(untimely);
  const { revocations } = court;
  if (revocations !== undefined && isRevoked(revocations.view, finding)) return invalid("revoked");
  const revocationAgeMs = revocations === undefined ? null : revocations.ageMs(now);
  if (tooOld(court, revocationAgeMs, rules?.maxRevocationAgeMs)) return unavailable("revocations_stale");
  if (rules?.scopes !== undefined) {
    const missing = rules.scopes.filter((scope) => !scopes.includes(scope));
    if (missing.length > 0) return { status: "forbidden", missing };
  }
  return {
    status: "valid",
    claims: claims as Proven["claims"] & Readonly<C>,
    subject: finding.subject,
    scopes,
    sessionId: finding.sessionId,
    expiresAt: finding.expiresAt,
    basis: "proof",
    from,
    degraded: null,
    revocationAgeMs,
  };
}

/** Entries are only ever added to the view: without news, what was clear is clear. */
function isRevoked(view: RevocationView, finding: Proven): boolean {
  if (finding.clearedAt === view.news) return false;
  if (view.revokes(finding.claims, finding.key.kid)) return true;
  finding.clearedAt = view.news;
  return false;
}

/** Without a log a call that sets a bound cannot be served. A bound that is no number is never met. */
function tooOld(court: Court, ageMs: number | null, narrowed: number | undefined): boolean {
  if (ageMs === null) return narrowed !== undefined && narrowed !== Infinity;
  return !(ageMs <= court.maxRevocationAgeMs) || (narrowed !== undefined && !(ageMs <= narrowed));
}
