import { announcementsOf } from "./announced.ts";
import type { Facts } from "./facts.ts";
import type { RunHistory } from "./run-history.ts";
import type { Violation } from "./violation.ts";

/**
 * A token that is ahead of the store comes from a refresh that the store acknowledged and has lost. That happens only in
 * a run whose faults lose acknowledged writes, or with a store that asks no replica.
 */
export function checkConfirmedWrites({ losses }: Facts, run: RunHistory): Violation[] {
  const { faults, replication } = run.plan;
  if (replication.confirmations !== null || faults.some(({ kind }) => kind === "store loses writes"))
    return [];
  // A key that moves to another server of a cluster is there before a replica has it.
  if (losses.all.some(({ changes }) => changes.some(({ isWhole }) => isWhole))) return [];
  return announcementsOf(run)
    .filter(({ event }) => event === "store_rolled_back")
    .map(({ at, process }) => ({
      check: "confirmed writes are kept",
      at,
      process,
      message: "the store has lost an acknowledged write, although a replica had to have it",
    }));
}
