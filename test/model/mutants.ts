import { auditEvents } from "../../src/core/events.ts";
import { signSession } from "../../src/issuer/records.ts";
import { deriveSecrets } from "../../src/issuer/secrets.ts";
import type { SessionRecord } from "../../src/stores/contracts.ts";
import { decideRotation } from "../../src/stores/rotation.ts";
import { secretAt } from "./instance.ts";
import type { Invariant } from "./invariants.ts";
import { after, answering, at, excusing, instead, rotating, type Mistake } from "./mistakes.ts";

/** Known to every instance. */
const secrets = deriveSecrets(secretAt(0));

/** Mistakes that were made elsewhere or could be made here: name, the invariant that must find it, what it does. */
export const mutants: readonly (readonly [name: string, foundBy: Invariant, mistake: Mistake])[] = [
  [
    "each return within grace arms it again",
    "windowFromFirstRotation",
    after("repeated", async ({ sql, clock }, { graceMs }, { id }) => {
      await sql("UPDATE sessions SET graceEndsAt = ? WHERE id = ?", clock.now() + graceMs, id);
    }),
  ],
  [
    "grace never ends",
    "theftIsCaught",
    after("rotated", async ({ sql }, _, { id }) => {
      await sql("UPDATE sessions SET graceEndsAt = 9000000000000000 WHERE id = ?", id);
    }),
  ],
  [
    "grace ends at once",
    "honestStaysIn",
    after("rotated", async ({ sql }, _, { id }) => {
      await sql("UPDATE sessions SET graceEndsAt = 0 WHERE id = ?", id);
    }),
  ],
  [
    "the token before the previous one is excused",
    "onlyTheParentIsExcused",
    excusing((behind) => behind === 2),
  ],
  ["whatever was rotated once is excused", "closedByTheChild", excusing((behind) => behind > 1)],
  [
    "whatever is older than the previous token is only a conflict",
    "theftIsCaught",
    instead(({ generation }, session) =>
      session.endedAt === null && generation < session.generation - 1
        ? { outcome: "conflict", session }
        : null,
    ),
  ],
  [
    "who asks second gets another successor",
    "sameSuccessorOrRetry",
    rotating(() => async ({ sql }, { sessionId, successorDigest, sealedSuccessor }, call) => {
      const right = await call();
      if (right.outcome !== "repeated") return right;
      const change = "UPDATE sessions SET currentDigest = ?, sealedSuccessor = ? WHERE id = ?";
      await sql(change, successorDigest, sealedSuccessor, sessionId);
      return { outcome: "rotated", session: right.session };
    }),
  ],
  [
    "a repeated answer is dated anew",
    "sameSuccessorOrRetry",
    rotating(() => async (_, __, call) => {
      const right = await call();
      if (right.outcome !== "repeated") return right;
      return { ...right, session: { ...right.session, issuedAtS: right.session.issuedAtS + 1 } };
    }),
  ],
  [
    "read, decide and write are three commands",
    "oneLiveTip",
    rotating(() => async ({ store, sql, clock, pause }, rotation, call) => {
      const record = await store.sessions.get(rotation.sessionId);
      const decided = decideRotation(record, rotation, clock.now(), null);
      if (decided.outcome !== "rotated") return await call();
      await pause("between read and write");
      await sql(...writing(decided.session));
      return decided;
    }),
  ],
  [
    "the generation is a time",
    "generationCountsRotations",
    instead((_, { rotatedAt }, now) => (now < rotatedAt ? { outcome: "unknown" } : null)),
  ],
  [
    "reuse ends nothing",
    "reuseIsCommitted",
    after("reuse", async ({ sql }, _, before) => await sql(...writing(before))),
  ],
  [
    "reuse ends every session of the subject",
    "reuseEndsOneSession",
    after("reuse", async ({ sql, clock }, _, { subject }) => {
      const change =
        "UPDATE sessions SET endedAt = ?, endReason = 'reuse' WHERE subject = ? AND endedAt IS NULL";
      await sql(change, clock.now(), subject);
    }),
  ],
  [
    "reuse is not in the log",
    "endingIsInTheLog",
    after("reuse", async ({ sql }, _, { id }) => await sql("DELETE FROM revocations WHERE id = ?", id)),
  ],
  ["a logout is acknowledged and not done", "endingIsDurable", at("sessions.end", () => async () => {})],
  [
    "a logout is not in the log",
    "endingIsInTheLog",
    at("sessions.end", () => async ({ sql }, [id], call) => {
      await call();
      await sql("DELETE FROM revocations WHERE id = ?", String(id));
    }),
  ],
  [
    "a logout that failed is acknowledged",
    "acknowledgedIsDone",
    {
      issuer: (issuer) => ({
        ...issuer,
        endSession: async (id, reason) => await issuer.endSession(id, reason).catch(() => {}),
      }),
    },
  ],
  [
    "a replay after logout raises the alarm",
    "noAlarmAfterEnding",
    instead((_, session) => (session.endedAt === null ? null : { outcome: "reuse", session })),
  ],
  [
    "an idle session lives on",
    "nothingRevives",
    after("rotated", async ({ sql }, _, { id }) => {
      await sql("UPDATE sessions SET idleExpiresAt = 9000000000000000 WHERE id = ?", id);
    }),
  ],
  ["a new password ends no session", "endingIsDurable", at("sessions.endAll", () => async () => 0)],
  [
    "a login that began before a new password succeeds after it",
    "passwordChangeWins",
    at("sessions.endAll", () => async ({ sql }, _, call) => {
      const ended = await call();
      await sql("DELETE FROM cutoffs");
      return ended;
    }),
  ],
  [
    "pruning erases the successor within grace",
    "sameSuccessorOrRetry",
    at("prune", () => async ({ sql }, _, call) => {
      await call();
      await sql("UPDATE sessions SET sealedSuccessor = NULL");
    }),
  ],
  [
    "pruning takes sessions that are merely quiet",
    "pruningTakesNothingAlive",
    at("prune", () => async ({ sql, clock }, _, call) => {
      await call();
      await sql("DELETE FROM sessions WHERE rotatedAt < ?", clock.now() - 60_000);
    }),
  ],
  [
    "pruning takes the key that signs",
    "usableAfterFaults",
    at("prune", () => async ({ sql }, _, call) => {
      await call();
      await sql("DELETE FROM keys WHERE activatedAt IS NOT NULL");
    }),
  ],
  [
    "a refresh widens the scope",
    "nothingWidens",
    rotating(() => async (_, __, call) => {
      const right = await call();
      if (right.outcome !== "rotated") return right;
      const facts = right.session.facts.replace("orders:read", 'orders:read","orders:write');
      return {
        ...right,
        session: { ...right.session, ...signSession(secrets, { ...right.session, facts }) },
      };
    }),
  ],
  [
    "a store that fails is a wrong token",
    "unavailableIsNotInvalid",
    answering((right) => (right.status === "unavailable" ? { status: "invalid_grant" } : right)),
  ],
  [
    "a conflict is a wrong token",
    "honestStaysIn",
    answering((right) => (right.status === "refresh_conflict" ? { status: "invalid_grant" } : right)),
  ],
  [
    "a refused token is written to the audit trail",
    "noSecretAtRest",
    answering((right, token) => {
      const event = { at: 0, kind: "refresh_reuse", subject: null, session: null, source: null } as const;
      if (right.status === "invalid_grant") auditEvents.publish({ ...event, detail: token });
      return right;
    }),
  ],
];

function writing(session: SessionRecord): [string, ...(string | number | null)[]] {
  const { id, generation, currentDigest, previousDigest, sealedSuccessor, graceEndsAt } = session;
  const columns =
    "generation = ?, currentDigest = ?, previousDigest = ?, sealedSuccessor = ?, graceEndsAt = ?";
  const values = [generation, currentDigest, previousDigest, sealedSuccessor, graceEndsAt];
  return [`UPDATE sessions SET ${columns}, endedAt = NULL, endReason = NULL WHERE id = ?`, ...values, id];
}
