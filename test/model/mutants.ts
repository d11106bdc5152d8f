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
    "each presentation within grace extends it",
    "graceCountsFromFirstRotation",
    afterOutcome("repeated", async ({ sql, clock }, { graceMs }, { id }) => {
      await sql("UPDATE sessions SET graceEndsAt = ? WHERE id = ?", clock.now() + graceMs, id);
    }),
  ],
  [
    "grace never ends",
    "theftIsCaught",
    afterOutcome("rotated", async ({ sql }, _, { id }) => {
      await sql("UPDATE sessions SET graceEndsAt = 9000000000000000 WHERE id = ?", id);
    }),
  ],
  [
    "grace ends at once",
    "honestClientStaysLoggedIn",
    afterOutcome("rotated", async ({ sql }, _, { id }) => {
      await sql("UPDATE sessions SET graceEndsAt = 0 WHERE id = ?", id);
    }),
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
    "a repeated answer has a new iat",
    "sameSuccessorOrRetry",
    replaceRotate(() => async (_, __, call) => {
      const right = await call();
      if (right.outcome !== "repeated") return right;
      return { ...right, session: { ...right.session, issuedAtS: right.session.issuedAtS + 1 } };
    }),
  ],
  [
    "rotate reads, decides and writes in separate commands",
    "oneCurrentToken",
    replaceRotate(() => async ({ store, sql, clock, pause }, rotation, call) => {
      const record = await store.sessions.get(rotation.sessionId);
      const decided = decideRotation(record, rotation, clock.now(), null);
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
    "pruning erases a successor within grace",
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
  const { id, generation, currentDigest, previousDigest, sealedSuccessor, graceEndsAt } = session;
  const columns =
    "generation = ?, currentDigest = ?, previousDigest = ?, sealedSuccessor = ?, graceEndsAt = ?";
  const values = [generation, currentDigest, previousDigest, sealedSuccessor, graceEndsAt];
  return [`UPDATE sessions SET ${columns}, endedAt = NULL, endReason = NULL WHERE id = ?`, ...values, id];
}
