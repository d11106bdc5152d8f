import type { Facts } from "./facts.ts";
import type { RunHistory } from "./run-history.ts";
import type { Violation } from "./violation.ts";

const MARGIN_MS = 1_000;

/** The list of a user's sessions has every session that lives. */
export function checkLists(facts: Facts, { plan }: RunHistory): Violation[] {
  const { refreshIdleMs, refreshAbsoluteMs } = plan.lifetimes;
  return facts.operations.flatMap(({ operation, call, answer, began, ended, process }): Violation[] => {
    if (operation !== "list sessions" || answer?.["status"] !== 200 || answer["isListed"] === true) return [];
    const [session, user] = [call["session"], call["user"]] as [string, string];
    const login = facts.loginOf(session);
    // The shortest life of a session begins with its login.
    const isShort = ended - (login?.began ?? 0) > Math.min(refreshIdleMs, refreshAbsoluteMs) - MARGIN_MS;
    const isLost = login !== undefined && facts.losses.find(login, [session, user], ended) !== null;
    if (isShort || isLost || facts.mayEndAt(session, user) < ended) return [];
    const message = `${session} is not in the list ${((ended - (login?.began ?? began)) / 1_000).toFixed(1)} s after its login`;
    return [{ check: "a live session is listed", at: ended, process, message }];
  });
}
