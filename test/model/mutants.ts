import { auditEvents } from "../../src/core/event-channels.ts";
import { addSessionMac } from "../../src/issuer/store/record-macs.ts";
import { deriveSecrets } from "../../src/issuer/secret-keys.ts";
import type { SessionRecord } from "../../src/stores/session-store.ts";
import { decideRotation } from "../../src/stores/refresh-rotation.ts";
import { secretAt } from "./instance.ts";
import type { Invariant } from "./invariants.ts";
import {
  afterOutcome,
  changeRefreshOutcome,
  replaceCommand,
  repeatSuccessorWhen,
  overrideOutcome,
  replaceRotate,
  type Fault,
} from "./store-faults.ts";

/** The secrets that every instance knows. */
const secrets = deriveSecrets(secretAt(0));

/** Plausible faults, each with the invariant that must find it. */
export const mutants: readonly (readonly [name: string, foundBy: Invariant, fault: Fault])[] = [
  [
    "each repeat extends the time of a lost answer",
    "lostAnswerIsRepeated",
    afterOutcome("repeated", async ({ sql, clock }, { lostAnswerMs }, { id }) => {
      await sql("UPDATE sessions SET lostAnswerEndsAt = ? WHERE id = ?", clock.now() + lostAnswerMs, id);
    }),
  ],
  [
    "a lost answer is repeated without end",
    "lostAnswerIsRepeated",
    afterOutcome("rotated", async ({ sql }, _, { id }) => {
      await sql("UPDATE sessions SET lostAnswerEndsAt = 9000000000000000 WHERE id = ?", id);
    }),
  ],
  [
    "a lost answer is not repeated",
    "honestClientStaysLoggedIn",
    afterOutcome("rotated", async ({ sql }, _, { id }) => {
      await sql("UPDATE sessions SET lostAnswerEndsAt = 0 WHERE id = ?", id);
    }),
  ],
  [
    "a token after `lostAnswerMs` is reported as reuse",
    "noFalseAlarm",
    replaceRotate(() => async (_, __, call) => {
      const right = await call();
      return right.outcome === "late" ? { outcome: "reuse", session: right.session } : right;
    }),
  ],
  [
    "an acknowledgement is confirmed without effect",
    "noRepeatAfterArrival",
    replaceCommand("sessions.acknowledge", () => async () => "acknowledged"),
  ],
  [
    "an acknowledgement counts for any generation",
    "arrivalIsRecordedOnce",
    replaceCommand("sessions.acknowledge", () => async ({ sql }, [sign]) => {
      const { sessionId } = sign as { sessionId: string };
      await sql("UPDATE sessions SET arrivedAt = rotatedAt, sealedSuccessor = NULL WHERE id = ?", sessionId);
      return "acknowledged";
    }),
  ],
  [
    "an acknowledgement that changes nothing is reported as recorded",
    "arrivalIsRecordedOnce",
    replaceCommand("sessions.acknowledge", () => async (_, __, call) => {
      await call();
      return "acknowledged";
    }),
  ],
  [
    "an acknowledgement leaves no time for a conflict",
    "noFalseAlarm",
    replaceCommand("sessions.acknowledge", () => async ({ sql }, [sign], call) => {
      const answer = await call();
      const { sessionId } = sign as { sessionId: string };
      const change = "UPDATE sessions SET arrivedAt = 1 WHERE id = ? AND arrivedAt IS NOT NULL";
      await sql(change, sessionId);
      return answer;
    }),
  ],
  [
    "a refresh with the successor is no sign of arrival",
    "noFalseAlarm",
    afterOutcome("rotated", async ({ sql }, _, { id }) => {
      await sql("UPDATE sessions SET previousArrivedAt = NULL WHERE id = ?", id);
    }),
  ],
  [
    "a long `lostAnswerMs` delays the finding of a thief",
    "theftIsCaught",
    overrideOutcome(({ generation }, session, now) =>
      session.endedAt === null &&
      generation === session.generation - 1 &&
      session.arrivedAt !== null &&
      now < (session.lostAnswerEndsAt ?? 0)
        ? { outcome: "conflict", session }
        : null,
    ),
  ],
  [
    "the token before the previous one is repeated",
    "onlyThePreviousTokenIsRepeated",
    repeatSuccessorWhen((behind) => behind === 2),
  ],
  [
    "every rotated token is repeated",
    "noRepeatAfterSuccessorUse",
    repeatSuccessorWhen((behind) => behind > 1),
  ],
  [
    "every token older than the previous one is a conflict",
    "theftIsCaught",
    overrideOutcome(({ generation }, session) =>
      session.endedAt === null && generation < session.generation - 1
        ? { outcome: "conflict", session }
        : null,
    ),
  ],
  [
    "the second presentation gets another successor",
    "sameSuccessorOrRetry",
    replaceRotate(() => async ({ sql }, { sessionId, successorDigest, sealedSuccessor }, call) => {
      const right = await call();
      if (right.outcome !== "repeated") return right;
      const change = "UPDATE sessions SET currentDigest = ?, sealedSuccessor = ? WHERE id = ?";
      await sql(change, successorDigest, sealedSuccessor, sessionId);
      return { outcome: "rotated", session: right.session };
    }),
  ],
  [
    "rotate reads, decides and writes in separate commands",
    "oneCurrentToken",
    replaceRotate(() => async ({ store, sql, clock, pause }, rotation, call) => {
      const record = await store.sessions.get(rotation.sessionId);
      const decided = decideRotation(record, rotation, clock.now());
      if (decided.outcome !== "rotated") return await call();
      await pause("between read and write");
      await sql(...updateStatement(decided.session));
      return decided;
    }),
  ],
  [
    "the generation depends on the clock",
    "generationCountsRotations",
    overrideOutcome((_, { rotatedAt }, now) => (now < rotatedAt ? { outcome: "unknown" } : null)),
  ],
  [
    "reuse does not end the session",
    "reuseIsCommitted",
    afterOutcome("reuse", async ({ sql }, _, before) => await sql(...updateStatement(before))),
  ],
  [
    "reuse ends all sessions of the subject",
    "reuseEndsOneSession",
    afterOutcome("reuse", async ({ sql, clock }, _, { subject }) => {
      const change =
        "UPDATE sessions SET endedAt = ?, endReason = 'reuse' WHERE subject = ? AND endedAt IS NULL";
      await sql(change, clock.now(), subject);
    }),
  ],
  [
    "reuse is not appended to the log",
    "endingIsInTheLog",
    afterOutcome(
      "reuse",
      async ({ sql }, _, { id }) => await sql("DELETE FROM revocations WHERE id = ?", id),
    ),
  ],
  [
    "a logout is acknowledged without effect",
    "endingIsDurable",
    replaceCommand("sessions.end", () => async () => {}),
  ],
  [
    "a logout is not appended to the log",
    "endingIsInTheLog",
    replaceCommand("sessions.end", () => async ({ sql }, [id], call) => {
      await call();
      await sql("DELETE FROM revocations WHERE id = ?", String(id));
    }),
  ],
  [
    "a failed logout is acknowledged",
    "acknowledgedIsDone",
    {
      issuer: (issuer) => ({
        ...issuer,
        endSession: async (id, reason) => await issuer.endSession(id, reason).catch(() => {}),
      }),
    },
  ],
  [
    "a token of an ended session is reported as reuse",
    "noAlarmAfterEnding",
    overrideOutcome((_, session) => (session.endedAt === null ? null : { outcome: "reuse", session })),
  ],
  [
    "an idle session does not expire",
    "nothingRevives",
    afterOutcome("rotated", async ({ sql }, _, { id }) => {
      await sql("UPDATE sessions SET idleExpiresAt = 9000000000000000 WHERE id = ?", id);
    }),
  ],
  [
    "a password change ends no session",
    "endingIsDurable",
    replaceCommand("sessions.endAll", () => async () => 0),
  ],
  [
    "a login that began before a password change succeeds after it",
    "passwordChangeWins",
    replaceCommand("sessions.endAll", () => async ({ sql }, _, call) => {
      const ended = await call();
      await sql("DELETE FROM cutoffs");
      return ended;
    }),
  ],
  [
    "pruning erases a successor that did not arrive",
    "sameSuccessorOrRetry",
    replaceCommand("prune", () => async ({ sql }, _, call) => {
      await call();
      await sql("UPDATE sessions SET sealedSuccessor = NULL");
    }),
  ],
  [
    "pruning erases live sessions",
    "pruningKeepsLiveSessions",
    replaceCommand("prune", () => async ({ sql, clock }, _, call) => {
      await call();
      await sql("DELETE FROM sessions WHERE rotatedAt < ?", clock.now() - 60_000);
    }),
  ],
  [
    "pruning erases the signing key",
    "usableAfterFaults",
    replaceCommand("prune", () => async ({ sql }, _, call) => {
      await call();
      await sql("DELETE FROM keys WHERE activatedAt IS NOT NULL");
    }),
  ],
  [
    "a refresh widens the scope",
    "nothingWidens",
    replaceRotate(() => async (_, __, call) => {
      const right = await call();
      if (right.outcome !== "rotated") return right;
      const facts = right.session.facts.replace("orders:read", 'orders:read","orders:write');
      return {
        ...right,
        session: { ...right.session, ...addSessionMac(secrets, { ...right.session, facts }) },
      };
    }),
  ],
  [
    "a failed store is reported as an invalid token",
    "unavailableIsNotInvalid",
    changeRefreshOutcome((right) => (right.status === "unavailable" ? { status: "invalid_grant" } : right)),
  ],
  [
    "a conflict is reported as an invalid token",
    "honestClientStaysLoggedIn",
    changeRefreshOutcome((right) =>
      right.status === "refresh_conflict" ? { status: "invalid_grant" } : right,
    ),
  ],
  [
    "a refused token is written to the audit trail",
    "noSecretAtRest",
    changeRefreshOutcome((right, token) => {
      const event = { at: 0, kind: "refresh_reuse", subject: null, session: null, source: null } as const;
      if (right.status === "invalid_grant") auditEvents.publish({ ...event, detail: token });
      return right;
    }),
  ],
];

function updateStatement(session: SessionRecord): [string, ...(string | number | null)[]] {
  const { id, generation, currentDigest, previousDigest, sealedSuccessor, lostAnswerEndsAt } = session;
  const columns =
    "generation = ?, currentDigest = ?, previousDigest = ?, sealedSuccessor = ?, lostAnswerEndsAt = ?";
  const values = [generation, currentDigest, previousDigest, sealedSuccessor, lostAnswerEndsAt];
  return [`UPDATE sessions SET ${columns}, endedAt = NULL, endReason = NULL WHERE id = ?`, ...values, id];
}
