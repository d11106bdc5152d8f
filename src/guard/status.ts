import { readClock } from "../core/clock.ts";
import type { GuardedIssuer } from "./issuers/guarded-issuer.ts";
import type { PipelineContext } from "./pipeline/context.ts";
import type { GuardState, GuardStatus, TrustedIssuerStatus } from "./status-types.ts";

export function guardStatus(context: PipelineContext): GuardStatus {
  const { clock, clockMonitor, resultCache, verifications, authorityCalls } = context;
  const issuers = context.guardedIssuers.configured.map((issuer) => issuerStatus(context, issuer));
  const shared = context.sharedCache?.status() ?? null;
  const clockSteppedMs = clockMonitor.steppedMs(readClock(clock));
  const state = overallState(issuers.map((issuer) => issuer.state));
  const foundIssuers = context.guardedIssuers.found?.status() ?? null;
  const errors = [shared?.lastError, foundIssuers?.lastError];
  const hasFault = clockSteppedMs !== 0 || errors.some((error) => error != null);
  return {
    name: context.name,
    state: context.closed ? "closed" : state === "ready" && hasFault ? "degraded" : state,
    issuers,
    foundIssuers,
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
  const facts = {
    issuer: issuer.source.issuer,
    keys: issuer.keyring.status(),
    authority: issuer.authority?.status() ?? null,
    revocations: issuer.revocationFollower?.status() ?? null,
    degradedDecisions: issuer.degradedMonitor.decisions,
    clockDifferenceMs: issuer.serverClock.differenceMs(readClock(context.clock)),
  };
  return { ...facts, state: issuerState(context, issuer, facts) };
}

function issuerState(
  context: PipelineContext,
  issuer: GuardedIssuer,
  facts: Omit<TrustedIssuerStatus, "state">,
): GuardState {
  const { keys, revocations } = facts;
  const ageMs = revocations?.ageMs ?? 0;
  const isTooOld = ageMs > context.maxRevocationAgeMs;
  if (!keys.usable || (isTooOld && ageMs === Infinity)) return "starting";
  const authorityState = stateByAuthority(context, facts.authority, issuer.jwtAuthority !== undefined);
  if (isTooOld || authorityState === "unavailable") return "unavailable";
  const lastError = keys.lastError ?? revocations?.lastError ?? null;
  return lastError !== null || keys.vanished.length > 0 ? "degraded" : authorityState;
}

/**
 * The state of an issuer whose keys and revocations are well. One failed question is not an outage while the breaker is
 * closed. One late answer does not end an outage while it is open. JWTs pass without an authority that does not decide
 * about them.
 */
function stateByAuthority(
  { fallback }: PipelineContext,
  authority: TrustedIssuerStatus["authority"],
  decidesJwts: boolean,
): "ready" | "degraded" | "unavailable" {
  if (authority === null) return "ready";
  const { breaker, failingMs } = authority;
  if (breaker === "closed" || breaker === "forced closed") return failingMs === null ? "ready" : "degraded";
  const mayFallBack = fallback.mode !== "deny" && (failingMs ?? 0) <= fallback.maxMs;
  return mayFallBack || !decidesJwts ? "degraded" : "unavailable";
}
