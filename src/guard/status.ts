import { instant } from "../core/clock.ts";
import type { Ladder } from "./context.ts";
import type { Realm } from "./realm.ts";
import type { GuardState, GuardStatus, TrustedIssuerStatus } from "./types.ts";

export function statusOf(ladder: Ladder): GuardStatus {
  const { name, realms, memory, tier, flights, questions, clock, timekeeper, closed } = ladder;
  const shared = tier?.status() ?? null;
  const issuers = realms.all.map((realm) => issuerStatus(ladder, realm));
  const clockSteppedMs = timekeeper.steppedMs(instant(clock));
  const state = overall(issuers.map((issuer) => issuer.state));
  const ails = clockSteppedMs !== 0 || (shared?.lastError ?? null) !== null;
  return {
    name,
    state: closed ? "closed" : state === "ready" && ails ? "degraded" : state,
    issuers,
    memory: memory.status(),
    shared,
    inFlight: flights.size + questions.size,
    clockSteppedMs,
  };
}

function overall(states: readonly GuardState[]): GuardState {
  if (states.every((state) => state === "ready")) return "ready";
  if (states.some((state) => state === "ready" || state === "degraded")) return "degraded";
  return states.includes("unavailable") ? "unavailable" : "starting";
}

function issuerStatus(ladder: Ladder, realm: Realm): TrustedIssuerStatus {
  const { source, keyring, authority, revocations, lapses } = realm;
  return {
    issuer: source.issuer,
    state: stateOf(ladder, realm),
    keys: keyring.status(),
    authority: authority?.status() ?? null,
    revocations: revocations?.status() ?? null,
    degradedDecisions: lapses.decisions,
  };
}

function stateOf({ clock, maxRevocationAgeMs, degraded }: Ladder, realm: Realm): GuardState {
  const { keyring, revocations, authority } = realm;
  const keys = keyring.status();
  const ageMs = revocations?.ageMs(instant(clock)) ?? 0;
  const tooOld = ageMs > maxRevocationAgeMs;
  if (!keys.usable || (tooOld && ageMs === Infinity)) return "starting";
  const { breaker = "closed", failingMs = null } = authority?.status() ?? {};
  // While it is asked, one question that failed is no outage; while it is not, one answer that comes late ends none.
  const isAsked = breaker === "closed" || breaker === "forced closed";
  const isBridged = degraded.mode !== "deny" && (failingMs ?? 0) <= degraded.maxMs;
  if (tooOld || (!isAsked && !isBridged)) return "unavailable";
  const ails =
    !isAsked || failingMs !== null || (keys.lastError ?? revocations?.status().lastError ?? null) !== null;
  return ails || keys.vanished.length > 0 ? "degraded" : "ready";
}
