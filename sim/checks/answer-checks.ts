import type { Facts } from "./facts.ts";
import type { RunHistory } from "./run-history.ts";
import type { Violation } from "./violation.ts";

/** The statuses that a client may see. 0 means that no answer came. */
const allowed: Readonly<Record<string, readonly number[]>> = {
  login: [200, 503, 0],
  refresh: [200, 400, 409, 503, 0],
  acknowledge: [204, 400, 503, 0],
  logout: [204, 503, 0],
  request: [200, 401, 503, 0],
};

/** The answers that mean success, in the quiet phase. */
const successes: Readonly<Record<string, readonly number[]>> = {
  login: [200],
  refresh: [200, 400, 409],
  acknowledge: [204, 400],
  logout: [204],
  // The decision behind a 503 is checked by its cause.
  request: [200, 401, 503],
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

/** Once the faults have ended, every call succeeds, and no view of revocations is too old. */
export function checkRecovery(
  { operations, forged }: Facts,
  { plan, history, startedAt }: RunHistory,
): Violation[] {
  const recoveredAt = startedAt + plan.faultyMs + RECOVERY_MS;
  const endsAt = startedAt + plan.faultyMs + plan.quietMs;
  const failures = operations.flatMap(({ operation, call, answer, began, ended, process }): Violation[] => {
    // The key of a forged token may be fetched once more, later.
    if (forged.has(call["token"] as string)) return [];
    // A call just before the end of the run has no answer yet.
    if (began < recoveredAt || (answer === null && endsAt - began < MAX_ANSWER_MS)) return [];
    if (answer !== null && successes[operation]?.includes(answer["status"] as number) !== false) {
      // A clock that was set back is believed when a new token shows that it is right (fault 34).
      const isFailure = answer["status"] === "unavailable" && answer["cause"] !== "clock_uncertain";
      if (operation !== "verdict" || !isFailure) return [];
    }
    const what = answer === null ? "without an answer" : `answered with ${String(answer["status"])}`;
    const why = (answer?.["cause"] ?? answer?.["error"] ?? "") as string;
    const message = `a ${operation} was ${what} after all faults had ended ${why}`.trim();
    return [{ check: "recovery", at: Number.isFinite(ended) ? ended : began, process, message }];
  });
  const bounds = new Map(plan.guards.map(({ name, maxRevocationAgeMs }) => [name, maxRevocationAgeMs]));
  const stale = history.flatMap(({ kind, at, data }): Violation[] => {
    const age = data["ageMs"];
    const name = data["guard"] as string;
    if (kind !== "guard status" || typeof age !== "number" || age <= (bounds.get(name) ?? 60_000)) return [];
    const message = `the revocation view of ${name} is ${Math.round(age)} ms old at the end`;
    return [{ check: "recovery", at, process: name, message }];
  });
  return [...failures, ...stale];
}

/** A client gives up after three seconds. */
const MAX_ANSWER_MS = 15_000;

/** No program and no callback throws. */
export function checkUncaught({ history }: RunHistory): Violation[] {
  return history.flatMap(({ kind, at, process, data }) => {
    if (kind !== "uncaught") return [];
    return [{ check: "no uncaught error", at, process, message: String(data["error"]) }];
  });
}
