import type { AgeAgainstLimit, Upstream } from "../../dashboard/wire-state.ts";
import type { TrustedIssuerStatus } from "../../guard/status-types.ts";
import type { IssuerStatus } from "../../issuer/types.ts";
import type { ComponentHealth } from "../health/service-health.ts";
import type { Moment } from "./frame-columns.ts";
import type { FallbackPolicy } from "../health/fallback.ts";
import { durationWords } from "../health/words.ts";

export interface UpstreamFacts {
  readonly moment: Moment;
  readonly fallback: FallbackPolicy;
  readonly revocationLimitMs: number | null;
  readonly store: IssuerStatus["store"];
  readonly storeHealth: ComponentHealth;
}

const then503 = "then its tokens answer 503";

/** The servers and files that the service depends on, as the guard and the issuer see them. */
export function describeUpstreams(facts: UpstreamFacts): Upstream[] {
  const { issuers, shared } = facts.moment.status;
  return [
    storeUpstream(facts),
    ...issuers.flatMap((issuer) => [
      ...keysUpstream(issuer),
      ...authorityUpstream(issuer, facts.fallback),
      ...revocationsUpstream(issuer, facts.revocationLimitMs),
    ]),
    ...(shared === null
      ? []
      : [
          {
            id: "shared",
            kind: "shared",
            name: shared.description,
            state: shared.breaker === "closed" ? "ok" : "degraded",
            words: shared.breaker === "closed" ? "answers" : "does not answer, and is skipped",
            breaker: shared.breaker,
            age: null,
            lastError: shared.lastError,
          } as const,
        ]),
  ];
}

function storeUpstream({ store, storeHealth }: UpstreamFacts): Upstream {
  const { status, reason } = storeHealth;
  return {
    id: "store",
    kind: "store",
    name: store.description,
    state: status === "unavailable" ? "failing" : status,
    words: status === "ok" ? "takes writes" : (reason ?? "fails"),
    breaker: null,
    age: null,
    lastError: status === "ok" ? null : storeHealth.detail,
  };
}

/** Configured keys depend on nothing. */
function keysUpstream({ issuer, keys }: TrustedIssuerStatus): Upstream[] {
  if (keys.maxStaleMs === null) return [];
  const { usable, ageMs, maxStaleMs: limitMs, lastError, vanished } = keys;
  const isOld = ageMs !== null && ageMs > limitMs / 2;
  const words = !usable
    ? "there is no usable key"
    : lastError !== null
      ? `the last fetch failed${ageMs === null ? "" : `; the set is ${durationWords(ageMs)} old`}`
      : vanished.length > 0
        ? "a key left the set and still serves"
        : "fetched";
  return [
    {
      id: `keys ${issuer}`,
      kind: "keys",
      name: issuer,
      state: !usable ? "failing" : lastError !== null || isOld || vanished.length > 0 ? "degraded" : "ok",
      words,
      breaker: null,
      age: ageMs === null ? null : { ageMs, limitMs, words: then503 },
      lastError,
    },
  ];
}

function authorityUpstream({ issuer, authority }: TrustedIssuerStatus, fallback: FallbackPolicy): Upstream[] {
  if (authority === null) return [];
  const { failingMs, breaker, lastError } = authority;
  const isForced = breaker.startsWith("forced");
  const isCut = failingMs !== null || breaker === "forced open";
  const words =
    failingMs !== null
      ? `has not answered for ${durationWords(failingMs)}`
      : isForced
        ? `breaker ${breaker} by hand`
        : "answers";
  const limit = fallback.mode === "deny" ? null : fallback.maxMs;
  return [
    {
      id: `authority ${issuer}`,
      kind: "authority",
      name: issuer,
      state: isCut ? (limit === null ? "failing" : "degraded") : isForced ? "degraded" : "ok",
      words,
      breaker,
      age:
        failingMs === null
          ? null
          : { ageMs: failingMs, limitMs: limit, words: limit === null ? "its tokens answer 503" : then503 },
      lastError,
    },
  ];
}

function revocationsUpstream(
  { issuer, state, revocations }: TrustedIssuerStatus,
  limitMs: number | null,
): Upstream[] {
  if (revocations === null) return [];
  const { complete, ageMs, lastError, entries } = revocations;
  const isTooOld = limitMs !== null && ageMs > limitMs;
  const isFailing = isTooOld || (state === "unavailable" && !complete);
  const age: AgeAgainstLimit | null = Number.isFinite(ageMs) ? { ageMs, limitMs, words: then503 } : null;
  return [
    {
      id: `revocations ${issuer}`,
      kind: "revocations",
      name: issuer,
      state: isFailing ? "failing" : complete && lastError === null ? "ok" : "degraded",
      words: complete && lastError === null ? `complete, ${entries} in force` : "the view is behind",
      breaker: null,
      age,
      lastError,
    },
  ];
}
