import type { DecisionRates, Step, StepWord } from "../../dashboard/wire-state.ts";
import type { TrustedIssuerStatus } from "../../guard/status-types.ts";
import type { Moment } from "./frame-columns.ts";
import type { FrameReader } from "./frame-reader.ts";
import { fallbackLeftMs, type FallbackPolicy } from "../health/fallback.ts";
import { authorityDoes } from "../health/authority-words.ts";
import { durationWords, listWords } from "../health/words.ts";

/** The sources of the steps. `percentile` reads a column of the same frame. */
export interface StepFacts {
  readonly moment: Moment;
  readonly reader: Pick<FrameReader, "recentPerS">;
  readonly percentile: (field: string) => number | null;
  readonly fallback: FallbackPolicy;
}

type Told = Pick<Step, "state" | "words" | "perS">;

/** A share of answers from which on a step is called failing. */
const FAILING_SHARE = 0.1;

/** The steps of a validation as they are now, in the order in which a token takes them. */
export function describeSteps(facts: StepFacts): Step[] {
  const { percentile } = facts;
  const timed = (name: string) => ({
    p50Ms: percentile(`${name}.p50Ms`),
    p99Ms: percentile(`${name}.p99Ms`),
  });
  const untimed = { p50Ms: null, p99Ms: null };
  const { issuers, shared } = facts.moment.status;
  // The guard times the whole decision, which is that of the verification only where no other step follows.
  const isLast = shared === null && issuers.every(({ authority }) => authority === null);
  return [
    { name: "token", ...tokenStep(facts), ...untimed },
    { name: "memory", ...memoryStep(facts), ...timed("memory") },
    { name: "verification", ...verificationStep(facts), ...(isLast ? timed("verification") : untimed) },
    { name: "shared", ...sharedStep(facts), ...timed("shared") },
    { name: "authority", ...authorityStep(facts), ...timed("authority") },
    { name: "degraded", ...degradedStep(facts), ...untimed },
    { name: "decision", ...decisionStep(facts), ...timed("decisions") },
  ];
}

/** The rates of the decisions over the time of the steps, so that they add up to the tokens that arrive. */
export function decisionRates({ recentPerS }: Pick<FrameReader, "recentPerS">): DecisionRates {
  return {
    valid: recentPerS("decisions.validPerS"),
    degraded: recentPerS("decisions.degradedPerS"),
    invalid: recentPerS("decisions.invalidPerS"),
    forbidden: recentPerS("decisions.forbiddenPerS"),
    unavailable: recentPerS("decisions.unavailablePerS"),
  };
}

/** All decisions. */
function totalPerS({ reader }: StepFacts): number {
  const { valid, invalid, forbidden, unavailable } = decisionRates(reader);
  return valid + invalid + forbidden + unavailable;
}

function flow(perS: number, words: string): Told {
  return perS > 0 ? { state: "ok", words, perS } : { state: "idle", words: "idle", perS };
}

function tokenStep(facts: StepFacts): Told {
  const refused = facts.reader.recentPerS("from.nonePerS");
  const perS = totalPerS(facts);
  return flow(perS, refused > perS / 2 ? "most are refused at once" : "tokens arrive");
}

function memoryStep(facts: StepFacts): Told {
  const perS = Math.max(0, totalPerS(facts) - facts.reader.recentPerS("from.nonePerS"));
  const share = perS === 0 ? 0 : Math.min(1, facts.reader.recentPerS("from.memoryPerS") / perS);
  return flow(perS, share === 0 ? "answers none of them" : `answers ${Math.round(share * 100)} % of them`);
}

function verificationStep({ moment, reader }: StepFacts): Told {
  const perS = reader.recentPerS("from.verificationPerS") + reader.recentPerS("from.sharedPerS");
  const { issuers } = moment.status;
  const unusable = issuers.filter(({ keys }) => !keys.usable);
  if (unusable.length > 0) return { state: "failing", words: `no keys of ${names(unusable)}`, perS };
  const stale = issuers.filter(({ keys }) => keys.lastError !== null);
  if (stale.length > 0) {
    return { state: "degraded", words: `the keys of ${names(stale)} cannot be fetched`, perS };
  }
  return flow(perS, "signatures are checked");
}

function sharedStep({ moment, reader }: StepFacts): Told {
  const perS = reader.recentPerS("shared.hitsPerS") + reader.recentPerS("shared.missesPerS");
  const { shared } = moment.status;
  if (shared === null) return { state: "off", words: "not configured", perS };
  if (shared.breaker !== "closed")
    return { state: "degraded", words: "does not answer, and is skipped", perS };
  const hits = reader.recentPerS("shared.hitsPerS");
  return flow(perS, hits === 0 ? "knows none of them" : `knows ${Math.round((hits / perS) * 100)} % of them`);
}

function authorityStep({ moment, reader, fallback }: StepFacts): Told {
  const perS = reader.recentPerS("authority.requestsPerS");
  const asked = moment.status.issuers.filter(({ authority }) => authority !== null);
  if (asked.length === 0) return { state: "off", words: "not configured", perS };
  const failing = asked.filter(({ authority }) => authority?.failingMs != null);
  const forced = asked.filter(({ authority }) => authority?.breaker.startsWith("forced") === true);
  const state: StepWord = fallback.mode === "deny" ? "failing" : "degraded";
  if (failing.length > 0) {
    const [{ authority: longest } = { authority: null }] = failing.toSorted(
      (a, b) => (b.authority?.failingMs ?? 0) - (a.authority?.failingMs ?? 0),
    );
    const words =
      longest === null ? "fails" : `${authorityDoes(longest)} for ${durationWords(longest.failingMs ?? 0)}`;
    return { state, words, perS };
  }
  if (forced.length > 0) {
    const words = listWords([...new Set(forced.map(({ authority }) => `breaker ${authority?.breaker}`))]);
    const isOpen = forced.some(({ authority }) => authority?.breaker === "forced open");
    return { state: isOpen ? state : "degraded", words, perS };
  }
  return flow(perS, "answers");
}

function degradedStep({ moment, reader, fallback }: StepFacts): Told {
  const perS = reader.recentPerS("decisions.degradedPerS");
  const { issuers } = moment.status;
  if (fallback.mode === "deny" || issuers.every(({ authority }) => authority === null)) {
    return { state: "off", words: fallback.mode === "deny" ? "not allowed" : "not needed", perS };
  }
  const degraded = issuers.filter(({ issuer }) => isDegraded(moment, issuer));
  if (degraded.length === 0) return { state: "idle", words: "ready, not needed", perS };
  const left = Math.min(...degraded.map((issuer) => fallbackLeftMs(issuer, fallback)));
  if (left <= 0) return { state: "failing", words: "its time is over", perS };
  return { state: "degraded", words: `accepts tokens for ${durationWords(left)} more`, perS };
}

function decisionStep(facts: StepFacts): Told {
  const perS = totalPerS(facts);
  const unavailable = facts.reader.recentPerS("decisions.unavailablePerS");
  const blind = facts.moment.status.issuers.filter(isBlind);
  if (blind.length > 0) {
    return { state: "failing", words: `the revocations of ${names(blind)} are too old`, perS };
  }
  if (perS > 0 && unavailable > 0) {
    const share = unavailable / perS;
    const state = share >= FAILING_SHARE ? "failing" : "degraded";
    return { state, words: `${percent(share)} answer 503`, perS };
  }
  return flow(perS, "every answer is definite");
}

/** Whether tokens of the issuer are being accepted without its authority. */
export function isDegraded({ metrics }: Pick<Moment, "metrics">, issuer: string): boolean {
  return metrics.sum("holdfast_degraded", { issuer }) > 0;
}

/** Whether the issuer cannot decide because of its view of revocations. */
function isBlind({ state, keys, revocations }: TrustedIssuerStatus): boolean {
  return revocations !== null && keys.usable && state === "unavailable";
}

function percent(share: number): string {
  const value = share * 100;
  return value < 1 ? "under 1 %" : `${Math.round(value)} %`;
}

function names(issuers: readonly TrustedIssuerStatus[]): string {
  return listWords(issuers.map(({ issuer }) => issuer));
}
