import type { GuardStatus } from "../../guard/status-types.ts";
import type { Store } from "../../stores/store.ts";
import { findOtherClock } from "./component-health.ts";
import { ANSWERS_S, type AnswerKind, type AnswerSummary } from "./answer-log.ts";
import type { FallbackPolicy } from "./fallback.ts";
import type { ComponentFinding, ComponentHealth, ServiceHealth } from "./service-health.ts";
import type { RunbookSection } from "./runbook.ts";
import { storeWords } from "./store-words.ts";
import { capitalize, durationWords, leftWords, withoutStoreName } from "./words.ts";

/*
 * The problems of the parts, in words. The text of a problem is in the present perfect, so that a duration can follow:
 * "The store has not answered for 4 min".
 */

/** Everything that a headline is made from. */
export interface HeadlineFacts {
  readonly health: Omit<ServiceHealth, "headline">;
  readonly guard: GuardStatus;
  readonly store: Pick<Store, "description">;
  readonly fallback: FallbackPolicy;
  /** The age at which every route refuses a view of revocations. */
  readonly revocationLimitMs: number;
  readonly answers: Readonly<Record<AnswerKind, AnswerSummary>>;
  /** When the answers began to show more than the parts do, epoch milliseconds. */
  readonly answersSince: Readonly<Record<AnswerKind, number>>;
  /** Epoch milliseconds. */
  readonly now: number;
}

export interface Problem {
  /** A component, or `answers`. */
  readonly part: string;
  readonly text: string;
  /** The effect on users. `null` when they notice nothing. */
  readonly effect: string | null;
  readonly advice: string | null;
  readonly runbook: RunbookSection;
  readonly since: number;
  readonly outcomes: ComponentFinding["outcomes"];
  /** Whether other parts fail because of this one. */
  readonly isRootCause?: boolean;
}

/** Shorter times say nothing to an operator. */
const MIN_DURATION_MS = 5_000;

/** ` for 4 min`, or nothing while that is too short to tell. */
export function forDuration(ms: number): string {
  return ms < MIN_DURATION_MS ? "" : ` for ${durationWords(ms)}`;
}

/** The most characters of an error in a headline. Its end often says more than its middle. */
const MAX_ERROR_START = 90;
const MAX_ERROR_END = 60;

/** The error without the name of the store, which the headline has already. */
export function lastErrorWords(error: string | null, description = ""): string {
  if (error === null) return "";
  const text = description === "" ? error : withoutStoreName(error, description);
  const isLong = text.length > MAX_ERROR_START + MAX_ERROR_END;
  return ` The last error: ${isLong ? `${text.slice(0, MAX_ERROR_START)} … ${text.slice(-MAX_ERROR_END)}` : text}`;
}

export function storeProblem(facts: HeadlineFacts): Problem | null {
  const { store: component } = facts.health.components;
  if (component.status === "ok") return null;
  const {
    text,
    ending = "",
    advice,
  } = storeWords(component.reason, component.detail, facts.store.description);
  const isSlow = component.reason === "slow";
  return {
    ...about("store", component),
    text: `The store ${facts.store.description} ${text}${forDuration(facts.now - component.since)}${ending}`,
    effect: storeEffect(facts),
    advice: `${advice}${
      // A check that waits is no error.
      isSlow
        ? ` ${capitalize(withoutStoreName(component.detail, facts.store.description))}.`
        : lastErrorWords(component.detail, facts.store.description)
    }`,
    runbook: isSlow ? "HoldfastStoreSlow" : "HoldfastStoreFailing",
    isRootCause: component.status === "unavailable",
  };
}

/** Logins need the store at once. Tokens need it for new revocations only, and as long as the view may be old. */
function storeEffect({ health, guard, revocationLimitMs }: HeadlineFacts): string | null {
  const { outcomes, roles, components } = health;
  const isIssuer = roles.issuer !== undefined;
  const answers = isIssuer ? issuerEffect(components.store) : [];
  if (roles.gateway === undefined) return answers.length === 0 ? null : answers.join(", ");
  if (outcomes.ownTokens.status === "unavailable") return [...answers, "tokens answer 503"].join(", ");
  const view = guard.issuers[0]?.revocations;
  const isBehind = view != null && (!view.complete || view.lastError !== null);
  const leftMs = revocationLimitMs - (view?.ageMs ?? 0);
  if (components.revocations.outcomes.ownTokens === "degraded")
    return [...answers, staleRoutesWords(leftMs)].join(", ");
  const tokens =
    components.store.status === "unavailable" && isBehind
      ? `tokens are accepted without new revocations for ${leftWords(leftMs)} more`
      : "tokens are still accepted";
  return [...answers, tokens].join(", ");
}

/** The effect while the policy's routes with the smallest bound refuse the view, and other routes do not. */
function staleRoutesWords(leftMs: number): string {
  return `tokens on routes that need fresh revocations answer 503, and on the others in ${leftWords(leftMs)}`;
}

function issuerEffect({ reason, outcomes }: ComponentHealth): string[] {
  const worst = outcomes.login ?? outcomes.refresh;
  if (worst === undefined) return [];
  if (reason === "slow") return ["logins and refreshes wait for it, and some may answer 503"];
  return [
    worst === "unavailable"
      ? "logins, refreshes and requests to revoke answer 503"
      : "some logins and refreshes answer 503",
  ];
}

export function clockProblem({ health, guard, now }: HeadlineFacts): Problem | null {
  const { clock } = health.components;
  if (clock.status === "ok") return null;
  const { clockSteppedMs } = guard;
  const direction = clockSteppedMs > 0 ? "ahead" : "back";
  const isStep = clockSteppedMs !== 0;
  if (!isStep && clock.outcomes.ownTokens === undefined) return otherClockProblem(clock, guard, now);
  const text = isStep
    ? `The clock of this machine was set ${direction} by ${durationWords(Math.abs(clockSteppedMs))}${agoWords(now - clock.since)}`
    : `The clocks of this machine and of the store have differed${forDuration(now - clock.since)}`;
  return {
    ...about("clock", clock),
    text,
    effect: "tokens whose validity depends on which time is right answer 503",
    advice: `Check the time service (NTP) of this machine${isStep ? `. ${stepAdvice(clockSteppedMs)}` : ` and of the store. ${clock.detail}`}`,
    runbook: "HoldfastClockStepped",
    isRootCause: isStep,
  };
}

/**
 * When tokens pass again if the clock is right now. A step back is never accepted, because the time before it may be the
 * right one, so that only a restart ends the problem.
 */
function stepAdvice(clockSteppedMs: number): string {
  const end =
    clockSteppedMs > 0
      ? "The new time counts after a minute."
      : "If its clock is right now, new tokens pass within five minutes, and after a restart at once.";
  return `${end} All times here follow the changed clock.`;
}

/** The clock of a provider is not that of this machine. Nobody but the operator knows which one is right. */
function otherClockProblem(
  clock: ComponentHealth,
  { issuers }: Pick<GuardStatus, "issuers">,
  now: number,
): Problem {
  const isAhead = (findOtherClock(issuers)?.differenceMs ?? 0) > 0;
  return {
    ...about("clock", clock),
    text: `The clocks of this machine and of a provider have differed${forDuration(now - clock.since)}`,
    effect: isAhead
      ? "good tokens of the provider may be refused as expired"
      : "new tokens of the provider may be refused, and expired ones pass for longer",
    advice: `Check the time service (NTP) of this machine first: ${clock.detail}.`,
    runbook: "HoldfastClockStepped",
  };
}

function agoWords(ms: number): string {
  return ms < MIN_DURATION_MS ? "" : `, ${durationWords(ms)} ago`;
}

export function guardProblem({ health, now }: HeadlineFacts): Problem | null {
  const { guard } = health.components;
  if (guard.status === "ok") return null;
  const isBroken = guard.status === "unavailable";
  return {
    ...about("guard", guard),
    text: `The guard ${isBroken ? "has failed its check" : "could not decide about the token of its check"}${forDuration(now - guard.since)}`,
    effect: isBroken ? "no answer about a token can be trusted" : "some tokens answer 503",
    advice: `Restart this process if the next check fails, too.${lastErrorWords(guard.detail)}`,
    runbook: "HoldfastUnavailableBurnFast",
  };
}

export function keysProblem({ health, guard, store, now }: HeadlineFacts): Problem | null {
  const { keys } = health.components;
  if (keys.status === "ok") return null;
  const isGone = keys.status === "unavailable";
  return {
    ...about("keys", keys),
    text: `The key set of this service ${isGone ? "has been unusable" : "could not be read again"}${forDuration(now - keys.since)}`,
    effect: isGone ? "its tokens answer 503" : "its tokens are still accepted",
    advice: `Look at the store.${lastErrorWords(guard.issuers[0]?.keys.lastError ?? null, store.description)}`,
    runbook: "HoldfastKeysStale",
  };
}

export function revocationsProblem({
  health,
  guard,
  store,
  revocationLimitMs,
  now,
}: HeadlineFacts): Problem | null {
  const { revocations } = health.components;
  if (revocations.status === "ok") return null;
  const view = guard.issuers[0]?.revocations ?? null;
  const ageMs = view?.ageMs ?? Infinity;
  const text = Number.isFinite(ageMs)
    ? `New revocations have not arrived for ${durationWords(ageMs)}`
    : `The revocations could not be read${forDuration(now - revocations.since)}`;
  const leftMs = Math.max(0, revocationLimitMs - ageMs);
  const effects = {
    unavailable: "tokens of this service answer 503",
    degraded: staleRoutesWords(leftMs),
  };
  const { ownTokens } = revocations.outcomes;
  return {
    ...about("revocations", revocations),
    text,
    effect:
      ownTokens === undefined ? `tokens are accepted for ${leftWords(leftMs)} more` : effects[ownTokens],
    advice: `${logAdvice(view?.lastError ?? null)}${lastErrorWords(view?.lastError ?? null, store.description)}`,
    runbook: "HoldfastRevocationsStale",
  };
}

/** The connection works when a cluster has answered that it moves the keys. */
function logAdvice(lastError: string | null): string {
  return lastError?.includes("TRYAGAIN") === true
    ? "If a move of slots was interrupted, run redis-cli --cluster fix."
    : "Check the way from this process to the store.";
}

const answerNames: Readonly<Record<AnswerKind, string>> = { login: "logins", refresh: "refreshes" };

/** Recent answers show more than the parts do. */
export function answersProblem(facts: HeadlineFacts, kind: AnswerKind): Problem | null {
  const outcome = facts.health.outcomes[kind];
  if (!outcome.because.includes("answers")) return null;
  const { answers, failed, limited, sources, damaged, lost } = facts.answers[kind];
  const since = facts.answersSince[kind];
  const duration = forDuration(facts.now - since);
  const name = answerNames[kind];
  const common = { part: "answers", since, outcomes: { [kind]: "degraded" } } as const;
  if (failed * 2 >= limited) {
    const began = duration === "" ? "" : ` (such answers began ${durationWords(facts.now - since)} ago)`;
    const text = `${failed} of ${answers} ${name} answered 5xx in the last ${ANSWERS_S} s${began}`;
    if ((damaged + lost) * 2 >= failed) return { ...common, text, ...sessionFault(damaged >= lost) };
    const advice = "Read the log for the reason.";
    return {
      ...common,
      text,
      effect: "their users had to try again",
      advice,
      runbook: "HoldfastRequestsFailing",
    };
  }
  return {
    ...common,
    text: `A flood of ${name} has come from ${sources} networks${duration}`,
    effect: `${limited} of the last ${answers} ${name} answered 429, and users may have to wait`,
    advice:
      "Read the networks in the audit events, and limit those at the proxy that do not belong to users.",
    runbook: "HoldfastLoginAttack",
  };
}

/** The failures are those of single sessions, whose clients repeat their refresh without end. */
function sessionFault(isDamaged: boolean): Pick<Problem, "effect" | "advice" | "runbook"> {
  if (!isDamaged) {
    return {
      effect: "the store has lost the sessions of these users",
      advice:
        "Restore the newest backup. If a session was deleted on purpose, run holdfast session end ID --force: holdfast audit --kind store_rolled_back has the id.",
      runbook: "HoldfastStoreRolledBack",
    };
  }
  return {
    effect: "the records of these sessions cannot be read",
    advice: "Run holdfast session end ID: holdfast audit --kind record_tampered has the id.",
    runbook: "HoldfastRecordTampered",
  };
}

function about(
  part: string,
  { since, outcomes }: ComponentHealth,
): Pick<Problem, "part" | "since" | "outcomes"> {
  return { part, since, outcomes };
}
