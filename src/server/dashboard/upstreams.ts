import type { AgeAgainstLimit, Upstream } from "../../dashboard/wire-state.ts";
import type { TrustedIssuerStatus } from "../../guard/status-types.ts";
import type { IssuerStatus } from "../../issuer/types.ts";
import type { ComponentHealth } from "../health/service-health.ts";
import type { Moment } from "./frame-columns.ts";
import type { FallbackPolicy } from "../health/fallback.ts";
import { authorityDoes } from "../health/authority-words.ts";
import { storeWords } from "../health/store-words.ts";
import { durationWords, withoutStoreName } from "../health/words.ts";

export interface UpstreamFacts {
  readonly moment: Moment;
  readonly fallback: FallbackPolicy;
  readonly revocationLimitMs: number | null;
  readonly store: IssuerStatus["store"];
  readonly storeHealth: ComponentHealth;
}

/** What happens at the limit. `null` has no limit. */
function then503(limitMs: number | null, without: string): string {
  return limitMs === null
    ? "its tokens answer 503"
    : `after ${durationWords(limitMs)} without ${without}, its tokens answer 503`;
}

/** The servers and files that the service depends on, as the guard and the issuer see them. */
export function describeUpstreams(facts: UpstreamFacts): Upstream[] {
  const { issuers, shared } = facts.moment.status;
  return [
    storeUpstream(facts),
    ...issuers.flatMap((issuer) => [
      ...keysUpstream(issuer),
      ...authorityUpstream(issuer, facts.fallback),
      ...revocationsUpstream(issuer, facts.revocationLimitMs, facts.store.description),
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
  const { status, reason, detail } = storeHealth;
  const { text, ending = "" } = storeWords(reason, detail, store.description);
  return {
    id: "store",
    kind: "store",
    name: store.description,
    state: status === "unavailable" ? "failing" : status,
    words: status === "ok" ? "takes writes" : `${text}${ending}`,
    breaker: null,
    age: null,
    lastError: status === "ok" ? null : withoutStoreName(detail, store.description),
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
      age: ageMs === null ? null : { ageMs, limitMs, words: then503(limitMs, "a fetch") },
      lastError,
    },
  ];
}

function authorityUpstream({ issuer, authority }: TrustedIssuerStatus, fallback: FallbackPolicy): Upstream[] {
  if (authority === null) return [];
  const { failingMs, breaker } = authority;
  const isForced = breaker.startsWith("forced");
  const isCut = failingMs !== null || breaker === "forced open";
  const words =
    failingMs !== null
      ? `${authorityDoes(authority)} for ${durationWords(failingMs)}`
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
        failingMs === null ? null : { ageMs: failingMs, limitMs: limit, words: then503(limit, "an answer") },
      lastError: authority.lastError,
    },
  ];
}

function revocationsUpstream(
  { issuer, state, revocations }: TrustedIssuerStatus,
  limitMs: number | null,
  store: string,
): Upstream[] {
  if (revocations === null) return [];
  const { complete, ageMs, lastError, entries } = revocations;
  const isTooOld = limitMs !== null && ageMs > limitMs;
  const isFailing = isTooOld || (state === "unavailable" && !complete);
  const age: AgeAgainstLimit | null = Number.isFinite(ageMs)
    ? { ageMs, limitMs, words: then503(limitMs, "news") }
    : null;
  return [
    {
      id: `revocations ${issuer}`,
      kind: "revocations",
      name: issuer,
      state: isFailing ? "failing" : complete && lastError === null ? "ok" : "degraded",
      words:
        complete && lastError === null ? `the view is complete, ${entries} in force` : "the view is behind",
      breaker: null,
      age,
      lastError: lastError === null ? null : withoutStoreName(lastError, store),
    },
  ];
}
