import type { Facts } from "./facts.ts";
import type { RecordedOperation, RunHistory } from "./run-history.ts";

/**
 * Whether a guard began with the empty log of a store that had been emptied, and so knows no earlier revocation. That
 * happens only to a guard that opens the store by itself and has saved nothing (docs/why/threat-model.md). The log of a
 * service is never that of an emptied store, because the service refuses to start on one.
 */
export function beganWithEmptiedLog(
  call: RecordedOperation["call"],
  at: number,
  facts: Facts,
  { guards }: RunHistory["plan"],
): boolean {
  const guard = guards.find(({ name }) => name === call["guard"]);
  if (guard?.readsStore !== true || guard.hasSnapshots) return false;
  const [first = at] = facts.decisionTimes(call);
  return facts.losses.isDeleted("{store}", Math.min(first, at));
}
