import type { Facts } from "./facts.ts";
import type { RecordedOperation } from "./run-history.ts";
import type { Violation } from "./violation.ts";

/** Operations after which a user may have another password, or may be disabled or enabled. */
const changes: ReadonlySet<string> = new Set([
  "add user",
  "change password",
  "set password",
  "disable user",
  "enable user",
]);

const check = "a password decides";

/** The current password logs its user in, and no earlier one does. A disabled user cannot log in at all. */
export function checkPasswords({ operations: all, losses }: Facts): Violation[] {
  const operations = all.map((one) => (changes.has(one.operation) ? afterLoss(one, losses) : one));
  const byUser = Map.groupBy(
    operations.filter(({ operation }) => changes.has(operation)),
    ({ call }) => call["user"],
  );
  return [
    ...checkReplacements(operations),
    ...operations.flatMap((login): Violation[] => {
      const { operation, call, answer, process, ended } = login;
      if (operation !== "password login" || answer === null) return [];
      const message = findWrongAnswer(login, byUser.get(call["user"]) ?? []);
      return message === null ? [] : [{ check, at: ended, process, message }];
    }),
  ];
}

/** A change that the store lost is in force for certain when a process has written it again, or never. */
function afterLoss(change: RecordedOperation, losses: Facts["losses"]): RecordedOperation {
  const loss = losses.find(change, ["{users}"]);
  if (loss === null) return change;
  const isRestored = Number.isFinite(loss.restoredAt);
  return { ...change, ended: loss.restoredAt, answer: isRestored ? change.answer : null };
}

/** Of two changes of one password, one is refused. */
function checkReplacements(operations: readonly RecordedOperation[]): Violation[] {
  const replaced = new Set<unknown>();
  return operations.flatMap((change): Violation[] => {
    const from = change.call["from"];
    if (change.operation !== "change password" || !isDone(change)) return [];
    const message = `${String(from)} was replaced twice`;
    const violation = { check, at: change.ended, process: change.process, message };
    return replaced.size === replaced.add(from).size ? [violation] : [];
  });
}

function findWrongAnswer(login: RecordedOperation, ofUser: readonly RecordedOperation[]): string | null {
  const { call, answer, began } = login;
  const { password } = call;
  const before = ofUser.filter(({ ended }) => ended < began);
  const status = answer?.["status"];
  if (status === 200) {
    const isReplaced = before.some((change) => isDone(change) && replaces(change, password, before));
    if (isReplaced) return `the user logged in with ${String(password)}, which another one had replaced`;
    return isDisabled(login, ofUser) ? "a disabled user logged in" : null;
  }
  if (status !== 401) return null;
  return isCertain(login, ofUser) ? `${String(password)} was refused although it was in force` : null;
}

/** Whether an operation was confirmed. */
function isDone({ answer }: RecordedOperation): boolean {
  return answer?.["status"] === 200 || answer?.["status"] === 204;
}

/** Whether a confirmed change has taken this password out of force. No password ever comes back. */
function replaces(
  { operation, call, began }: RecordedOperation,
  password: unknown,
  before: readonly RecordedOperation[],
): boolean {
  if (operation === "change password") return call["from"] === password;
  if (operation !== "set password" || call["to"] === password) return false;
  // A change that went on at the same time may have come later.
  const origin = before.find((change) => change.call["to"] === password);
  return origin !== undefined && origin.ended < began;
}

/** Whether the user was certainly disabled during the whole login. */
function isDisabled({ began, ended }: RecordedOperation, ofUser: readonly RecordedOperation[]): boolean {
  return ofUser.some((disabled) => {
    if (disabled.operation !== "disable user" || !isDone(disabled) || disabled.ended > began) return false;
    return !ofUser.some(
      (enabled) =>
        enabled.operation === "enable user" && enabled.ended > disabled.began && enabled.began < ended,
    );
  });
}

/** Whether the password was certainly in force during the whole login, and the user certainly enabled. */
function isCertain(login: RecordedOperation, ofUser: readonly RecordedOperation[]): boolean {
  const { call, began, ended } = login;
  const origin = ofUser.find(
    (change) => change.call["to"] === call["password"] && isDone(change) && change.ended < began,
  );
  if (origin === undefined || mayBeDisabled(login, ofUser)) return false;
  return ofUser.every(
    (change) =>
      change === origin ||
      change.operation === "enable user" ||
      change.operation === "disable user" ||
      change.began > ended ||
      change.ended < origin.began,
  );
}

/** Whether the user was disabled at any time before the end of the login, and not certainly enabled since. */
function mayBeDisabled({ began, ended }: RecordedOperation, ofUser: readonly RecordedOperation[]): boolean {
  const isEnabledAfter = (disabled: RecordedOperation) =>
    ofUser.some(
      (enabled) =>
        enabled.operation === "enable user" &&
        isDone(enabled) &&
        enabled.began > disabled.ended &&
        enabled.ended < began,
    );
  return ofUser.some(
    (change) => change.operation === "disable user" && change.began < ended && !isEnabledAfter(change),
  );
}
