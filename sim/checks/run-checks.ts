import { checkAnnouncements } from "./announcement-checks.ts";
import { checkRecovery, checkStatuses, checkUncaught } from "./answer-checks.ts";
import { checkConfirmedWrites } from "./confirmed-writes.ts";
import { Facts } from "./facts.ts";
import { checkGateway } from "./gateway-checks.ts";
import { checkHealth } from "./health-checks.ts";
import { checkPasswords } from "./password-checks.ts";
import { checkLists } from "./list-checks.ts";
import {
  checkBranches,
  checkIntruders,
  checkOwners,
  checkSuccessors,
  checkThefts,
} from "./refresh-checks.ts";
import type { RunHistory } from "./run-history.ts";
import { checkSockets } from "./socket-checks.ts";
import { checkVerdicts } from "./verdict-checks.ts";
import type { Violation } from "./violation.ts";

export type { Violation } from "./violation.ts";

/** Finds everything in a history that must not happen, in the order of its time. */
export function runChecks(run: RunHistory): Violation[] {
  const facts = new Facts(run);
  return [
    ...checkSuccessors(facts),
    ...checkBranches(facts),
    ...checkOwners(facts, run),
    ...checkIntruders(facts),
    ...checkThefts(facts, run),
    ...checkVerdicts(facts, run),
    ...checkGateway(facts, run),
    ...checkHealth(facts, run),
    ...checkPasswords(facts),
    ...checkAnnouncements(facts, run),
    ...checkLists(facts, run),
    ...checkConfirmedWrites(facts, run),
    ...checkSockets(facts, run),
    ...checkStatuses(facts),
    ...checkRecovery(facts, run),
    ...checkUncaught(run),
  ].toSorted((one, other) => one.at - other.at);
}
