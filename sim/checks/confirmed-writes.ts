import { announcementsOf, type Announced } from "./announced.ts";
import type { Facts } from "./facts.ts";
import type { RunHistory } from "./run-history.ts";
import type { Violation } from "./violation.ts";

/**
 * A token that is ahead of the store comes from a refresh that the store acknowledged and has lost. That happens only in
 * a run whose faults lose acknowledged writes, with a store that asks no replica, or to a key that moves.
 */
export function checkConfirmedWrites(facts: Facts, run: RunHistory): Violation[] {
  const { faults, replication } = run.plan;
  if (replication.confirmations !== null || faults.some(({ kind }) => kind === "store loses writes"))
    return [];
  return announcementsOf(run)
    .filter((one) => one.event === "store_rolled_back" && !isOfMovedKey(one, facts))
    .map(({ at, process }) => ({
      check: "confirmed writes are kept",
      at,
      process,
      message: "the store has lost an acknowledged write, although a replica had to have it",
    }));
}

/**
 * Whether the store had lost a whole key that the announcement may concern. A key that moves to another server of a
 * cluster is there before a replica has it.
 */
function isOfMovedKey(announced: Announced, facts: Facts): boolean {
  const moved = facts.losses.all
    .filter(({ since }) => since <= announced.at)
    .flatMap(({ changes }) => changes.filter(({ isWhole }) => isWhole).flatMap(({ keys }) => keys ?? []));
  if (moved.length === 0) return false;
  const names = ["{users}", ...sessionNames(announced, facts)];
  return moved.some((key) => names.some((name) => key.includes(name)));
}

/** Parts of the keys of the sessions whose requests the process was answering. Of an unknown session, it fits any key. */
function sessionNames({ at, process }: Announced, facts: Facts): string[] {
  const served = facts.operations.filter(
    ({ operation, call, began, ended }) =>
      operation === "served" && call["service"] === process && began <= at && at <= ended,
  );
  const sessions = served.map(({ call }) => facts.refreshWith(call["presented"])?.call["session"]);
  if (sessions.length === 0) return ["{session:"];
  return sessions.map((session) => (typeof session === "string" ? `{session:${session}}` : "{session:"));
}
