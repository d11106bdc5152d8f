import type { Facts } from "./facts.ts";
import type { RecordedOperation, RunHistory } from "./run-history.ts";
import type { Violation } from "./violation.ts";

const MARGIN_MS = 1_000;

/** Rotation never forks: one presented token has one successor, whoever presents it and however often (law 8). */
export function checkSuccessors(facts: Pick<Facts, "operations">): Violation[] {
  const successors = new Map<string, string>();
  return refreshes(facts).flatMap(({ call, answer, ended, process }) => {
    const [presented, successor] = [call["presented"] as string, answer?.["refresh"]];
    if (answer?.["status"] !== 200 || typeof successor !== "string") return [];
    const known = successors.get(presented);
    successors.set(presented, known ?? successor);
    if (known === undefined || known === successor) return [];
    const message = `the token ${presented} has the successors ${known} and ${successor}`;
    return [{ check: "one successor", at: ended, process, message }];
  });
}

/** A lost answer logs nobody out: an owner is refused only when the session was over. */
export function checkOwners(facts: Facts, { plan }: RunHistory): Violation[] {
  const { lostAnswerMs, refreshIdleMs, refreshAbsoluteMs } = plan.lifetimes;
  /** Presented token → when it was presented first. */
  const firstPresented = new Map<string, number>();
  const refreshedAt = new Map<string, number>();
  const violations: Violation[] = [];
  for (const { call, answer, began, ended, process } of refreshes(facts)) {
    if (call["by"] !== "owner") continue;
    const [session, user, presented] = [call["session"], call["user"], call["presented"]] as [
      string,
      string,
      string,
    ];
    const first = firstPresented.get(presented) ?? began;
    firstPresented.set(presented, first);
    if (answer?.["status"] === 200) refreshedAt.set(session, began);
    if (answer?.["status"] !== 400) continue;
    const login = facts.loginOf(session);
    const isOver =
      facts.mayEndAt(session, user) < ended ||
      ended - first > lostAnswerMs - MARGIN_MS ||
      ended - (refreshedAt.get(session) ?? login?.began ?? 0) > refreshIdleMs - MARGIN_MS ||
      ended - (login?.began ?? 0) > refreshAbsoluteMs - MARGIN_MS;
    if (isOver) continue;
    const message = `an owner of ${session} was logged out ${((ended - first) / 1_000).toFixed(1)} s after the first try`;
    violations.push({ check: "nobody is logged out", at: ended, process, message });
  }
  return violations;
}

/** Tokens of ended sessions, spent tokens and forged ones give nothing. */
export function checkIntruders(facts: Facts): Violation[] {
  return refreshes(facts).flatMap(({ call, answer, began, ended, process }) => {
    if (answer?.["status"] !== 200) return [];
    const [session, user, by] = [call["session"], call["user"], call["by"]] as [string, string, string];
    const isOver = facts.endedAt(session, user) < began;
    if (by === "owner" && !isOver) return [];
    if (by === "keeper" && !isOver) return [];
    const what = isOver ? "a refresh token of an ended session" : `the refresh token of a ${by}`;
    return [{ check: "intruders get nothing", at: ended, process, message: `${what} was accepted` }];
  });
}

/** A spent token whose successor was acknowledged more than `conflictMs` ago is proven reuse, and refused for good. */
export function checkThefts({ operations }: Facts, { plan }: RunHistory): Violation[] {
  /** Refresh token → when its acknowledgement was confirmed. */
  const acknowledged = new Map<unknown, number>();
  const successors = new Map<unknown, unknown>();
  for (const { operation, call, answer, ended } of operations) {
    const status = answer?.["status"];
    if (operation === "acknowledge" && status === 204) acknowledged.set(call["refresh"], ended);
    if (operation === "refresh" && status === 200 && answer !== null)
      successors.set(call["presented"], answer["refresh"]);
  }
  return operations.flatMap(({ operation, call, answer, began, ended, process }) => {
    if (operation !== "refresh" || call["by"] !== "thief" || answer?.["status"] !== 409) return [];
    const arrivedAt = acknowledged.get(successors.get(call["presented"])) ?? Infinity;
    if (began < arrivedAt + plan.lifetimes.conflictMs + MARGIN_MS) return [];
    const message = `a spent token was a conflict ${Math.round((began - arrivedAt) / 1_000)} s after its successor arrived`;
    return [{ check: "theft is found", at: ended, process, message }];
  });
}

function refreshes({ operations }: Pick<Facts, "operations">): RecordedOperation[] {
  return operations.filter(({ operation }) => operation === "refresh");
}
