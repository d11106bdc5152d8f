import { CLOCK_ERROR_MS, WRONG_CLOCK } from "../stores/redis-faults.ts";
import type { Facts } from "./facts.ts";
import { serverFaultTimes } from "./fault-times.ts";
import { SpentTokens } from "./spent-tokens.ts";
import type { RecordedOperation, RunHistory } from "./run-history.ts";
import type { Violation } from "./violation.ts";

const MARGIN_MS = 1_000;

/**
 * Rotation never forks: one presented token has one successor, whoever presents it and however often (law 8). A store that
 * has lost the first successor may give another one.
 */
export function checkSuccessors(
  facts: Pick<Facts, "operations"> & Partial<Pick<Facts, "losses">>,
): Violation[] {
  const first = new Map<string, RecordedOperation>();
  return refreshes(facts).flatMap((operation) => {
    const { call, answer, ended, process } = operation;
    const [presented, successor] = [call["presented"] as string, answer?.["refresh"]];
    if (answer?.["status"] !== 200 || typeof successor !== "string") return [];
    const known = first.get(presented);
    if (known === undefined) first.set(presented, operation);
    if (known === undefined || known.answer?.["refresh"] === successor) return [];
    if (facts.losses?.findOfSession(known, call["session"] as string, ended)) {
      first.set(presented, operation);
      return [];
    }
    const message = `the token ${presented} has the successors ${String(known.answer?.["refresh"])} and ${successor}`;
    return [{ check: "one successor", at: ended, process, message }];
  });
}

/**
 * Once the store has replaced a token for good, the session goes on from that token again, from its successor or from a
 * later one. After a loss it may also go on from a token that is ahead of the store.
 */
export function checkBranches(facts: Facts): Violation[] {
  const granted = refreshes(facts).filter(({ answer }) => answer?.["status"] === 200);
  const parents = new Map(granted.map(({ call, answer }) => [answer?.["refresh"], call["presented"]]));
  const lineOf = (token: unknown): unknown[] => {
    const line = [];
    for (let one = token; one !== undefined; one = parents.get(one)) line.push(one);
    return line;
  };
  const bySession = Map.groupBy(granted, ({ call }) => call["session"] as string);
  return [...bySession].flatMap(([session, all]) =>
    all.flatMap(({ call, began, ended, process }): Violation[] => {
      const isLost = (one: RecordedOperation) => facts.losses.findOfSession(one, session, ended) !== null;
      const before = all.filter((one) => one.ended < began);
      const kept = before.filter((one) => !isLost(one)).toSorted((one, other) => one.ended - other.ended);
      const last = kept.at(-1);
      const line = lineOf(call["presented"]);
      const successor = last?.answer?.["refresh"];
      if (last === undefined || line.includes(successor) || line[0] === last.call["presented"]) return [];
      if (before.length > kept.length && line.length > lineOf(successor).length) return [];
      const message = `${session} went on from ${String(line[0])} after ${String(successor)} had taken its place`;
      return [{ check: "one successor", at: ended, process, message }];
    }),
  );
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
    if (isOver || mayBeForked(facts, session, ended)) continue;
    const message = `an owner of ${session} was logged out ${((ended - first) / 1_000).toFixed(1)} s after the first try`;
    violations.push({ check: "nobody is logged out", at: ended, process, message });
  }
  return violations;
}

/** Whether somebody may have continued the session from an older token, because the store had lost the newer one. */
function mayBeForked(facts: Facts, session: string, at: number): boolean {
  const ofSession = refreshes(facts).filter((one) => one.call["session"] === session && one.began < at);
  const isLost = ofSession.some((one) => facts.losses.findOfSession(one, session, at) !== null);
  const isStolen = ofSession.some(({ call, answer }) => call["by"] === "thief" && answer?.["status"] === 200);
  return isLost && (isStolen || facts.hasDuplicates);
}

/** Tokens of ended sessions, spent tokens and forged ones give nothing. */
export function checkIntruders(facts: Facts): Violation[] {
  const spent = new SpentTokens(facts);
  return refreshes(facts).flatMap(({ call, answer, began, ended, process }) => {
    if (answer?.["status"] !== 200) return [];
    const [session, user, by] = [call["session"], call["user"], call["by"]] as [string, string, string];
    const isOver = facts.endedAt(session, user, began, "session") < began;
    if (by === "owner" && !isOver) return [];
    if (by === "keeper" && !isOver) return [];
    if (by === "thief" && spent.isLost(session, call["presented"], began)) return [];
    const what = isOver ? "a refresh token of an ended session" : `the refresh token of a ${by}`;
    return [{ check: "intruders get nothing", at: ended, process, message: `${what} was accepted` }];
  });
}

/**
 * A spent token whose successor was acknowledged more than `conflictMs` ago is proven reuse, and refused for good. A
 * record of the version before does not say when a token arrived, so a conflict proves nothing in a run with upgrades.
 *
 * The server of the store measures `conflictMs`. While its clock is behind, or after it was ahead, the conflict lasts
 * longer by the error. The thief gets nothing meanwhile, and a store that called a time before the arrival a theft would
 * log out an owner whose two tabs refresh during a failover to a slower clock.
 */
export function checkThefts(facts: Facts, run: RunHistory): Violation[] {
  const { plan } = run;
  if (plan.upgrades.length > 0) return [];
  const spent = new SpentTokens(facts);
  const wrongClocks = serverFaultTimes(facts.faults, run, WRONG_CLOCK);
  const clockErrorMs = (from: number, to: number) =>
    CLOCK_ERROR_MS * wrongClocks.filter(({ began, ended }) => began <= to && from <= ended).length;
  return refreshes(facts).flatMap(({ call, answer, began, ended, process }) => {
    const { session, presented } = call as { session: string; presented: unknown };
    if (call["by"] !== "thief" || answer?.["status"] !== 409) return [];
    const arrivedAt = spent.arrivedAt(presented);
    const errorMs = clockErrorMs(spent.replacedAt(presented), ended);
    if (began < arrivedAt + plan.lifetimes.conflictMs + errorMs + MARGIN_MS) return [];
    if (spent.isLost(session, presented, began)) return [];
    const message = `a spent token was a conflict ${Math.round((began - arrivedAt) / 1_000)} s after its successor arrived`;
    return [{ check: "theft is found", at: ended, process, message }];
  });
}

function refreshes({ operations }: Pick<Facts, "operations">): RecordedOperation[] {
  return operations.filter(({ operation }) => operation === "refresh");
}
