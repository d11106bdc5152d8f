import { hasFaultBegun } from "./concerned-faults.ts";
import type { Facts } from "./facts.ts";
import type { RecordedOperation, RunHistory } from "./run-history.ts";
import type { Violation } from "./violation.ts";

const check = "health agrees";
/** Health may be late by this much, as `test/chaos/health-agrees` allows for real services. */
const LATE_MS = 3_000;
/** One answer may be about its own token or session. Several that agree are about the service. */
const MIN_ANSWERS = 2;

/** What users ask for, and the operation that shows what they get from one service. */
const outcomes: Readonly<Record<string, (operation: RecordedOperation, facts: Facts) => boolean>> = {
  // Refreshes of a session or a user that the store has lost fail, and others succeed.
  refresh: ({ operation, call, ended }, facts) => {
    if (operation !== "served" || call["path"] !== "/auth/refresh") return false;
    const presented = facts.refreshWith(call["presented"]);
    const { session, user } = presented?.call ?? {};
    return !facts.isLostSession(session as string, ended) && !facts.isLostUser(user, ended);
  },
  ownTokens: ({ operation, answer }) =>
    // A verdict on a new key, or under a doubtful clock, is about one token.
    operation === "verdict" && answer?.["cause"] !== "key_pending" && answer?.["cause"] !== "clock_uncertain",
};

const failures: ReadonlySet<unknown> = new Set([503, "unavailable"]);
/**
 * Answers that prove nothing about a service. A guard refuses an expired token although it knows no revocations, and
 * would answer 503 to a valid one. After the loss of the store only such tokens are left, because nobody can log in.
 */
const refusals: ReadonlySet<unknown> = new Set(["invalid"]);

/** What users got from a service just before its health was asked for, and its health, are the same thing (law 10). */
export function checkHealth(facts: Facts, { plan }: Pick<RunHistory, "plan">): Violation[] {
  const { operations, stops } = facts;
  const answered = operations.filter(({ answer }) => answer !== null);
  const probes = answered.filter(({ operation }) => operation === "health");
  const byService = Map.groupBy(answered, ({ call }) => call["service"] ?? call["guard"]);
  return probes.flatMap((probe): Violation[] => {
    const service = probe.call["service"];
    const isStopped = stops.some(
      ({ process, began, ended }) =>
        process === service && began < probe.ended && probe.began - LATE_MS < ended,
    );
    if (isStopped) return [];
    const recent = operationsBetween(byService.get(service) ?? [], probe.began - LATE_MS, probe.began);
    const violation = (message: string) => ({ check, at: probe.ended, process: probe.process, message });
    const compared = Object.entries(outcomes).flatMap(([name, matches]): Violation[] => {
      const answers = recent.filter((one) => one.ended < probe.began && matches(one, facts));
      // Health tells of a fault before the first user meets it.
      const isOutdated =
        hasFaultBegun(facts, service, plan, [probe.began - LATE_MS, probe.ended]) ||
        (name === "refresh" && isStorePartlyDown(probe, facts));
      const message = compare(name, probe, answers, isOutdated);
      return message === null ? [] : [violation(message)];
    });
    return [...compared, ...(isWellWithoutStore(probe, facts) ? [violation(WELL_WITHOUT_STORE)] : [])];
  });
}

/** The operations that began after `from` and before `until`. The list has the order of their calls. */
function operationsBetween(
  sorted: readonly RecordedOperation[],
  from: number,
  until: number,
): readonly RecordedOperation[] {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] as RecordedOperation).began > from) high = middle;
    else low = middle + 1;
  }
  let end = low;
  while ((sorted[end]?.began ?? Infinity) < until) end++;
  return sorted.slice(low, end);
}

/** The faults of the store under which some commands succeed. */
const partialFaults: ReadonlySet<string> = new Set([
  "store refuses",
  "store loses answers",
  "store hangs",
  "store loses writes",
]);

/** Whether some refreshes may succeed although a write of the health check fails, because each command has its own luck. */
function isStorePartlyDown({ ended }: RecordedOperation, facts: Facts): boolean {
  return facts.faultsBefore(ended, LATE_MS).some(({ fault }) => partialFaults.has(fault));
}

const WELL_WITHOUT_STORE = "a service called refreshes well although its store was down";

/** Whether a service calls refreshes well although its store has been down for longer than health may be late. */
function isWellWithoutStore({ answer, began, ended }: RecordedOperation, facts: Facts): boolean {
  if (answer?.["refresh"] !== "ok") return false;
  const crashes = facts.faultsBefore(ended, LATE_MS).filter(({ fault }) => fault === "store crashes");
  // The end of one crash ends another one that overlaps it.
  return crashes.length === 1 && crashes.every((one) => one.began + LATE_MS < began && ended < one.ended);
}

function compare(
  name: string,
  probe: RecordedOperation,
  answers: readonly RecordedOperation[],
  isOutdated: boolean,
): string | null {
  if (answers.length < MIN_ANSWERS) return null;
  const failed = answers.filter(({ answer }) => failures.has(answer?.["status"])).length;
  const health = probe.answer?.[name];
  const service = String(probe.call["service"]);
  if (failed === answers.length && health === "ok") {
    return `${service} called ${name} well after ${failed} answers had all failed`;
  }
  const succeeded = answers.filter(({ answer }) => !refusals.has(answer?.["status"])).length;
  const isCalledBad = health === "unavailable" || probe.answer?.["status"] === 503;
  if (failed === 0 && succeeded >= MIN_ANSWERS && !isOutdated && isCalledBad) {
    return `${service} called ${name} ${String(health)} and ready ${String(probe.answer?.["status"])} although ${succeeded} answers had succeeded`;
  }
  return null;
}
