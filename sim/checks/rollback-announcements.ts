import type { Announced } from "./announced.ts";
import { concerns } from "./concerned-faults.ts";
import type { Facts } from "./facts.ts";
import type { RecordedOperation, RunHistory } from "./run-history.ts";
import type { Violation } from "./violation.ts";

/** A service reports one kind of evidence once a minute, and its clock may be slow. */
const REPORTS_AGAIN_MS = 61_000;
/** A service answers 503 for other reasons, too, until it has had this time without a fault. */
const UNDISTURBED_MS = 15_000;

/**
 * The refreshes that proved to a service that the store had gone back, and that it did not announce: those with a token
 * that is ahead of the store, and those of a session that the store has lost.
 */
export function findUnannouncedRollbacks(
  announced: readonly Announced[],
  facts: Facts,
  { plan }: RunHistory,
): Violation[] {
  if (facts.losses.isEmpty) return [];
  const served = facts.operations.filter(
    ({ operation, call, answer }) =>
      operation === "served" && call["path"] === "/auth/refresh" && answer !== null,
  );
  return served.flatMap((operation): Violation[] => {
    const { began, ended } = operation;
    const process = operation.call["service"] as string;
    const proof = isResumed(operation, served, facts)
      ? "a session went on from a token that is ahead of the store"
      : isOfLostSession(operation, facts, plan)
        ? "a token of a lost session was presented"
        : null;
    if (proof === null) return [];
    const stoppedMs = facts.stops
      .filter((stop) => stop.process === process && stop.began < ended)
      .reduce((sum, { ms }) => sum + ms, 0);
    const isTold = announced.some(
      (one) =>
        one.process === process &&
        one.event === "store_rolled_back" &&
        began - REPORTS_AGAIN_MS - stoppedMs <= one.at &&
        one.at <= ended,
    );
    if (isTold) return [];
    const message = `${proof}, and ${process} did not announce that the store had gone back`;
    return [{ check: "losses are announced", at: ended, process, message }];
  });
}

/** Whether the service knew that it answered 503 for a session or a user that the store has lost. */
function isOfLostSession(
  { call, answer, began, ended }: RecordedOperation,
  facts: Facts,
  plan: RunHistory["plan"],
): boolean {
  if (answer?.["status"] !== 503 || facts.losses.isDeleted("{store}", ended)) return false;
  const { session, user } = facts.refreshWith(call["presented"])?.call ?? {};
  const isLost = facts.isLostSession(session as string, began) || facts.isLostUser(user, began);
  const disturbing = facts.faults.filter(
    (fault) => fault.began < ended && began < fault.ended + UNDISTURBED_MS,
  );
  return isLost && !disturbing.some((fault) => concerns(fault, call["service"], plan));
}

/** Whether a refresh was the first one of its session after the store had lost the only refresh that issued its token. */
function isResumed(
  { call, answer, began }: RecordedOperation,
  served: readonly RecordedOperation[],
  facts: Facts,
): boolean {
  if (answer?.["status"] !== 200 || facts.hasDuplicates) return false;
  const presented = call["presented"];
  const session = facts.refreshWith(presented)?.call["session"] as string;
  const issues = facts.operations.filter(
    (one) => one.operation === "refresh" && one.answer?.["refresh"] === presented,
  );
  const [issue] = issues;
  if (issue === undefined || issues.length > 1) return false;
  const tries = facts.operations.filter(
    (one) => one.operation === "refresh" && one.call["presented"] === issue.call["presented"],
  );
  // A loss that does not name its keys may be that of another session.
  const loss = facts.losses.findOfSession(issue, session, began);
  if (tries.length > 1 || loss === null || loss.changes.some(({ keys }) => keys === null)) return false;
  return !served.some(
    (other) =>
      loss.since < other.ended &&
      other.began < began &&
      facts.refreshWith(other.call["presented"])?.call["session"] === session,
  );
}
