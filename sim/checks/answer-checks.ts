import type { Facts } from "./facts.ts";
import type { RecordedOperation, RunHistory } from "./run-history.ts";
import type { Violation } from "./violation.ts";

/** The statuses that a client may see. 0 means that no answer came. */
const allowed: Readonly<Record<string, readonly number[]>> = {
  login: [200, 503, 0],
  refresh: [200, 400, 409, 503, 0],
  acknowledge: [204, 400, 503, 0],
  logout: [204, 503, 0],
  request: [200, 401, 503, 0],
  connect: [200, 401, 429, 503, 0],
  visit: [200, 400, 401, 403, 503, 0],
  "password login": [200, 401, 429, 503, 0],
  "change password": [200, 401, 429, 503, 0],
};

/** The answers that mean success, in the quiet phase. */
const successes: Readonly<Record<string, readonly (number | string)[]>> = {
  login: [200],
  refresh: [200, 400, 409],
  acknowledge: [204, 400],
  logout: [204],
  // The decision behind a 503 is checked by its cause.
  request: [200, 401, 503],
  connect: [200, 401, 429, 503],
  health: [200],
  // Its gateway has decided it, and records more.
  visit: [200, 400, 401, 403, 503],
  verify: [200, 400, 401, 403],
  renew: ["ok", "closed", "invalid_token", "busy"],
  // Too many wrong passwords limit the right one, too.
  "password login": [200, 401, 429],
  "change password": [200, 401, 429, 503],
  "add user": [204],
  "set password": [204],
  "disable user": [204],
  "enable user": [204],
  "end session": [204],
  "end subject": [204],
  "rotate keys": [204],
};

/** After the last fault everything works again within this time: breakers, back-off and revocation views. */
const RECOVERY_MS = 120_000;

/** Every status is one that the documentation names. */
export function checkStatuses({ operations }: Facts): Violation[] {
  return operations.flatMap(({ operation, answer, ended, process }) => {
    const status = answer?.["status"] as number;
    if (answer === null || allowed[operation]?.includes(status) !== false) return [];
    return [
      { check: "known statuses", at: ended, process, message: `a ${operation} was answered with ${status}` },
    ];
  });
}

/** While no fault holds, every call succeeds. At the end every guard has recovered. */
export function checkRecovery(facts: Facts, run: RunHistory): Violation[] {
  const { plan, startedAt } = run;
  const endsAt = startedAt + plan.faultyMs + plan.quietMs;
  const isCalm = calmTimes(run);
  const failures = facts.operations.flatMap((operation): Violation[] => {
    const { operation: name, call, answer, began, ended, process } = operation;
    // The key of a forged token may be fetched once more, later.
    if (facts.forged.has(call["token"] as string) || !isCalm(began)) return [];
    // The server has no answer for a client that has gone.
    if (name === "served") return [];
    // A call just before the end of the run has no answer yet.
    if (answer === null && endsAt - began < MAX_ANSWER_MS) return [];
    if (answer !== null && !isFailure(operation)) return [];
    if (isExcused(operation, facts)) return [];
    const what = answer === null ? "without an answer" : `answered with ${String(answer["status"])}`;
    const why = (answer?.["cause"] ?? answer?.["error"] ?? "") as string;
    const message = `a ${name} was ${what} although no fault held ${why}`.trim();
    return [{ check: "recovery", at: Number.isFinite(ended) ? ended : began, process, message }];
  });
  return [...failures, ...checkGuardsAtEnd(facts, run)];
}

/** At the end no view of revocations is too old, and no guard keeps from its authority. */
function checkGuardsAtEnd({ losses }: Facts, { plan, history }: RunHistory): Violation[] {
  const bounds = new Map(plan.guards.map(({ name, maxRevocationAgeMs }) => [name, maxRevocationAgeMs]));
  return history.flatMap(({ kind, at, data }): Violation[] => {
    if (kind !== "guard status") return [];
    const name = data["guard"] as string;
    const { ageMs } = data;
    const breaker = (data["breaker"] ?? null) as string | null;
    const violation = (message: string) => ({ check: "recovery", at, process: name, message });
    const isStale =
      typeof ageMs === "number" && ageMs > (bounds.get(name) ?? 60_000) && !isWithoutSnapshots(losses, at);
    const isCutOff = breaker !== null && breaker !== "closed" && !isWithoutSnapshots(losses, at);
    return [
      ...(isStale
        ? [violation(`the revocation view of ${name} is ${Math.round(ageMs)} ms old at the end`)]
        : []),
      ...(isCutOff ? [violation(`the breaker of ${name} is ${breaker} at the end`)] : []),
    ];
  });
}

/** Whether a part may fail although no fault holds, because nothing could have told it what it needs. */
function isExcused(recorded: RecordedOperation, facts: Facts): boolean {
  const { operation, call, answer, began } = recorded;
  if (isOfLost(recorded, facts)) return true;
  // No guard can know the key after two rotations in a row.
  const isNewKey = facts.operations.some(
    (other) => other.operation === "rotate keys" && other.began < began && began < other.began + NEW_KEY_MS,
  );
  if (isNewKey && (answer?.["cause"] === "key_pending" || operation === "verify")) return true;
  // A connection is closed, and a new token on it refused, for the same doubt about the clock. The gateway answers 503.
  // None of them tells the cause.
  const guard = operation === "renew" ? facts.guardOfSocket(call["socket"]) : call["guard"];
  const isStepped = facts.clockSteps.some((step) => step.process === guard && step.began < began);
  return isStepped && (operation === "close" || operation === "verify" || operation === "renew");
}

/** Whether an operation is about a session or a user that the store has lost. Both are unavailable then (fault 64). */
function isOfLost({ operation, call, ended }: RecordedOperation, facts: Facts): boolean {
  const { losses, tokens } = facts;
  if (losses.isEmpty) return false;
  if (losses.isDeleted("{store}", ended)) return true;
  if (needsView.has(operation) && isWithoutSnapshots(losses, ended)) return true;
  const token = tokens.get(call["token"] as string);
  const session = (call["session"] ?? token?.session) as string;
  return facts.isLostSession(session, ended) || facts.isLostUser(call["user"] ?? token?.user, ended);
}

/** The operations in which a guard decides. Without a snapshot of the log they may fail, and nothing else may. */
const needsView: ReadonlySet<string> = new Set(["verdict", "close", "verify", "renew"]);

/** Whether a guard that needs a snapshot of the log gets none until an operator restores a backup. */
function isWithoutSnapshots(losses: Facts["losses"], at: number): boolean {
  return losses.isDeleted("{store}", at) || losses.isDeleted("{store}:in-force", at);
}

function isFailure({ operation, answer }: RecordedOperation): boolean {
  const status = answer?.["status"];
  // A clock that was set back is believed when a new token shows that it is right (fault 34).
  if (operation === "verdict" || operation === "close")
    return status === "unavailable" && answer?.["cause"] !== "clock_uncertain";
  return successes[operation]?.includes(status as number | string) === false;
}

/** Returns whether no fault has held at a time, and for two minutes before. */
function calmTimes({ plan, history, startedAt }: RunHistory): (at: number) => boolean {
  const recoveredAt = startedAt + plan.faultyMs + RECOVERY_MS;
  const { drop, duplicate, slow } = plan.network;
  const ends = new Map(
    history.filter(({ kind }) => kind === "fault ended").map(({ at, data }) => [data["number"], at]),
  );
  const faults = history
    .filter(({ kind }) => kind === "fault")
    .map(({ at, data }) => ({ began: at, ended: (ends.get(data["number"]) ?? Infinity) + RECOVERY_MS }));
  return (at) => {
    if (at >= recoveredAt) return true;
    if (drop + duplicate + slow > 0 || at < startedAt + RECOVERY_MS) return false;
    return !faults.some(({ began, ended }) => began - MAX_ANSWER_MS < at && at < ended);
  };
}

/** A guard has the key after an unplanned rotation within this time. */
const NEW_KEY_MS = 10_000;

/** A client gives up after three seconds. */
const MAX_ANSWER_MS = 15_000;

/** No program and no callback throws. */
export function checkUncaught({ history }: RunHistory): Violation[] {
  return history.flatMap(({ kind, at, process, data }) => {
    if (kind !== "uncaught") return [];
    return [{ check: "no uncaught error", at, process, message: String(data["error"]) }];
  });
}
