import { TOLERANCE_MS } from "../plan.ts";
import { beganWithEmptiedLog } from "./emptied-log.ts";
import type { ClockStep } from "./fault-times.ts";
import type { Facts, IssuedToken } from "./facts.ts";
import { hasAuthority, mayRefuseLiveSession } from "./live-session-refusals.ts";
import { mayHaveLostKey } from "./lost-keys.ts";
import type { RecordedOperation, RunHistory } from "./run-history.ts";
import type { Violation } from "./violation.ts";

/** Two clocks that differ by less cannot be told apart from the delay of a message. */
const CLOCK_SLACK_MS = 5_000;
/** Clocks of guards may run this much slower than true time. */
export const DRIFT = 0.002;
const MARGIN_MS = 50;
/** A guard follows smaller differences of its two clocks only together. */
const FOLLOWED_DRIFT_MS = 100;
/** No answer takes longer than this from its `iat` to the client. */
const LONGEST_ANSWER_MS = 30_000;
/** A guard accepts that its clock was stepped ahead after a minute (docs/outages/faults.md, fault 34). */
const STEP_ACCEPTED_AFTER_MS = 55_000;
/** After this time, a guard whose clock is a little slow has believed a step ahead as well. */
const BELIEVED_AFTER_MS = 61_000;
/** Two steps lead to the same time when they differ by less, which is what drift adds in a run. */
const SAME_STEP_MS = 10_000;

/** A decision of a guard about a token that a client got. */
interface Decision {
  readonly operation: RecordedOperation;
  readonly token: IssuedToken;
  readonly status: unknown;
  readonly seconds: (ms: number) => string;
}

type VerdictCheck = (decision: Decision, facts: Facts, run: RunHistory) => string | null;

/** How much later than the true time the guard may believe that a token expires. */
export function clockAllowance(
  { call, began }: Pick<RecordedOperation, "call" | "began">,
  facts: Facts,
): number {
  const { clockSteps, suspends } = facts;
  const [error, startError] = [Number(call["clockErrorMs"] ?? 0), Number(call["startErrorMs"] ?? 0)];
  const small = Math.abs(error - startError) <= CLOCK_SLACK_MS ? Math.abs(error - startError) : 0;
  const back = clockSteps.find(
    ({ process, ms, began: from, ended }) =>
      process === call["guard"] && ms < 0 && from < began && began < ended,
  );
  // While the wall clock is behind, only the monotonic clock tells the time, and a suspend stops it.
  const missed = suspends.filter(
    (suspend) =>
      back !== undefined &&
      suspend.process === call["guard"] &&
      !hasBelievedSuspend(suspend, back, facts, call),
  );
  const believed =
    back === undefined || !facts.isIssuerBehind(call["guard"], back.began, began) ? 0 : -back.ms;
  // Until the step, the guard follows the drift of its clock, at most FOLLOWED_DRIFT_MS late.
  const drift =
    back === undefined ? 0 : FOLLOWED_DRIFT_MS + DRIFT * (began - back.began + 2 * STEP_ACCEPTED_AFTER_MS);
  return Math.abs(startError) + small + drift + believed + missed.reduce((sum, { ms }) => sum + ms, 0);
}

/**
 * Whether the guard believed the time after a suspend before its clock was set back. It notices a suspend at its next
 * decision, and believes the time after it at the first decision that is a minute later.
 */
function hasBelievedSuspend(
  { ended }: ClockStep,
  back: ClockStep,
  facts: Facts,
  call: RecordedOperation["call"],
): boolean {
  const times = facts.decisionTimes(call);
  const noticedAt = times.find((at) => at >= ended);
  return (
    noticedAt !== undefined && times.some((at) => at >= noticedAt + BELIEVED_AFTER_MS && at < back.began)
  );
}

/** When the token expires in true time. The issuer may have set `exp` by a clock that was behind. */
export function trueExpiry({ expiresAt, receivedAt }: IssuedToken, { plan }: RunHistory): number {
  const { accessTokenTtlMs } = plan.lifetimes;
  const isBehind = receivedAt - (expiresAt - accessTokenTtlMs) > LONGEST_ANSWER_MS;
  return isBehind ? receivedAt + accessTokenTtlMs : expiresAt;
}

const expired: VerdictCheck = ({ operation, token, status, seconds }, facts, run) => {
  const lateMs = operation.began - trueExpiry(token, run) - TOLERANCE_MS - clockAllowance(operation, facts);
  if (status !== "valid" || lateMs <= MARGIN_MS) return null;
  return `a token was valid ${seconds(lateMs)} after its expiry and the tolerance`;
};

const revoked: VerdictCheck = ({ operation, token, status, seconds }, facts, { plan }) => {
  const endedAt = facts.endedAt(token.session, token.user, operation.began, "log");
  const boundMs = Number(operation.call["maxRevocationAgeMs"]) * (1 + DRIFT);
  const lateMs = operation.began - endedAt - boundMs;
  if (status !== "valid" || lateMs <= MARGIN_MS) return null;
  if (beganWithEmptiedLog(operation.call, operation.began, facts, plan)) return null;
  return `a token was valid ${seconds(lateMs)} after the end of its session and the bound of the view`;
};

/** A guard may say no to a good token only with a reason that the history proves. */
const good: VerdictCheck = ({ operation, token, status, seconds }, facts, { plan }) => {
  if (status !== "invalid") return null;
  const given = operation.answer?.["reason"];
  // A guard that has no key for the token knows only that its authority calls the token inactive.
  const reason = given === "inactive" && hasAuthority(operation, plan) ? "revoked" : given;
  const leftMs = token.expiresAt - operation.ended - clockAllowance(operation, facts);
  if (reason === "expired" && (leftMs < MARGIN_MS || isLongAhead(operation, facts))) return null;
  // A revoked token that its own clock calls expired is told as expired.
  if (
    (reason === "revoked" || reason === "expired") &&
    facts.mayEndAt(token.session, token.user) < operation.ended
  )
    return null;
  if (reason === "revoked" && mayRefuseLiveSession(operation, token, facts, plan)) return null;
  if (reason === "unknown_key" && mayHaveLostKey(operation, token, facts)) return null;
  const issuedAt = token.expiresAt - plan.lifetimes.accessTokenTtlMs;
  // The clock of the issuer was ahead, so the token is from the future.
  const isFromFuture =
    issuedAt - operation.began > TOLERANCE_MS - clockAllowance(operation, facts) - MARGIN_MS;
  if (reason === "not_yet_valid" && isFromFuture) return null;
  return `a good token was refused as ${String(given)}, ${seconds(leftMs)} before its expiry`;
};

/**
 * Whether the clock of the guard is ahead, and has been for so long that the guard believes it. A guard never believes the
 * correction back. A second step to the time that it believes is therefore no step for it.
 */
function isLongAhead({ call, ended }: RecordedOperation, { clockSteps }: Facts): boolean {
  const ahead = clockSteps.filter(({ process, ms }) => process === call["guard"] && ms > 0);
  return ahead.some((step) => {
    if (step.began > ended || ended > step.ended) return false;
    const isBelieved = (one: (typeof ahead)[number]) =>
      one.began <= step.began &&
      Math.abs(one.ms - step.ms) < SAME_STEP_MS &&
      one.began + STEP_ACCEPTED_AFTER_MS < Math.min(one.ended, ended);
    return ahead.some(isBelieved);
  });
}

/** A message over a connection, and its close, show what the guard has decided on the token of the connection. */
const decided: ReadonlySet<string> = new Set(["verdict", "message", "close"]);

const checks: Readonly<Record<string, VerdictCheck>> = {
  "expired is refused": expired,
  "revoked is refused": revoked,
  "an outage is never invalid": good,
};

const seconds = (ms: number) => `${(ms / 1_000).toFixed(1)} s`;

/** What is wrong about a token that passed. `null` when nothing is. */
export function findWrongPass(
  operation: RecordedOperation,
  token: IssuedToken,
  facts: Facts,
  run: RunHistory,
): string | null {
  const decision = { operation, token, status: "valid", seconds };
  return expired(decision, facts, run) ?? revoked(decision, facts, run);
}

/** What is wrong about a 401 that does not tell its reason. `null` when one of the reasons is proven. */
export function findWrongRefusal(
  operation: RecordedOperation,
  token: IssuedToken,
  facts: Facts,
  run: RunHistory,
): string | null {
  const messages = ["expired", "revoked", "not_yet_valid", "unknown_key"].map((reason) =>
    good({ operation: { ...operation, answer: { reason } }, token, status: "invalid", seconds }, facts, run),
  );
  return messages.includes(null) ? null : "a good token was refused with 401";
}

/** Checks each decision by itself, and that a guard never forgets a revocation that it has told. */
export function checkVerdicts(facts: Facts, run: RunHistory): Violation[] {
  const violations: Violation[] = [];
  const told = new Map<string, number>();
  for (const operation of facts.operations) {
    const { operation: kind, call, answer, process, ended, began } = operation;
    if (!decided.has(kind) || answer === null) continue;
    const name = call["token"] as string;
    const { status } = answer;
    const add = (check: string, message: string) => violations.push({ check, at: ended, process, message });
    if (facts.forged.has(name) && status === "valid") add("forged is refused", "a forged token was valid");
    const token = facts.tokens.get(name);
    if (token === undefined) continue;
    for (const [check, find] of Object.entries(checks)) {
      const message = find({ operation, token, status, seconds }, facts, run);
      if (message !== null) add(check, message);
    }
    const place = `${String(call["guard"])} ${String(call["life"])} ${token.session}`;
    if (status === "invalid" && answer["reason"] === "revoked") {
      if (mayRefuseLiveSession(operation, token, facts, run.plan)) continue;
      told.set(place, Math.min(told.get(place) ?? Infinity, ended));
    } else if (status === "valid" && began > (told.get(place) ?? Infinity)) {
      add(
        "revoked stays revoked",
        `a token of ${token.session} was valid after the guard had called it revoked`,
      );
    }
  }
  return violations;
}
