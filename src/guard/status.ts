import { readClock } from "../core/clock.ts";
import type { PipelineContext } from "./pipeline/context.ts";
import type { GuardedIssuer } from "./issuers/guarded-issuer.ts";
import type { GuardState, GuardStatus, TrustedIssuerStatus } from "./types.ts";

export function guardStatus(context: PipelineContext): GuardStatus {
  const {
    name,
    guardedIssuers,
    resultCache,
    sharedCache,
    verifications,
    authorityCalls,
    clock,
    clockMonitor,
    closed,
  } = context;
  const shared = sharedCache?.status() ?? null;
  const issuers = guardedIssuers.all.map((issuer) => issuerStatus(context, issuer));
  const clockSteppedMs = clockMonitor.steppedMs(readClock(clock));
  const state = overallState(issuers.map((issuer) => issuer.state));
  const ails = clockSteppedMs !== 0 || (shared?.lastError ?? null) !== null;
  return {
    name,
    state: closed ? "closed" : state === "ready" && ails ? "degraded" : state,
    issuers,
    memory: resultCache.status(),
    shared,
    inFlight: verifications.size + authorityCalls.size,
    clockSteppedMs,
  };
}

function overallState(states: readonly GuardState[]): GuardState {
  if (states.every((state) => state === "ready")) return "ready";
  if (states.some((state) => state === "ready" || state === "degraded")) return "degraded";
  return states.includes("unavailable") ? "unavailable" : "starting";
}

function issuerStatus(context: PipelineContext, issuer: GuardedIssuer): TrustedIssuerStatus {
  const { source, keyring, authority, revocationFollower, degradedMonitor } = issuer;
  return {
    issuer: source.issuer,
    state: issuerState(context, issuer),
    keys: keyring.status(),
    authority: authority?.status() ?? null,
    revocations: revocationFollower?.status() ?? null,
    degradedDecisions: degradedMonitor.decisions,
  };
}

function issuerState(
  { clock, maxRevocationAgeMs, fallback }: PipelineContext,
  issuer: GuardedIssuer,
): GuardState {
  const { keyring, revocationFollower, authority } = issuer;
  const keys = keyring.status();
  const ageMs = revocationFollower?.ageMs(readClock(clock)) ?? 0;
  const tooOld = ageMs > maxRevocationAgeMs;
  if (!keys.usable || (tooOld && ageMs === Infinity)) return "starting";
  const { breaker = "closed", failingMs = null } = authority?.status() ?? {};
  // While it is asked, one question that failed is no outage; while it is not, one answer that comes late ends none.
  const isAsked = breaker === "closed" || breaker === "forced closed";
  const isBridged = fallback.mode !== "deny" && (failingMs ?? 0) <= fallback.maxMs;
  if (tooOld || (!isAsked && !isBridged)) return "unavailable";
  const ails =
    !isAsked ||
    failingMs !== null ||
    (keys.lastError ?? revocationFollower?.status().lastError ?? null) !== null;
  return ails || keys.vanished.length > 0 ? "degraded" : "ready";
}
