import { HoldfastError } from "../../core/errors.ts";
import type { Revocation, RevocationEntry } from "../../core/revocation.ts";
import type { EndReason, SessionRecord, SessionStore } from "../store.ts";
import { EXPIRED_RETENTION_MS } from "../retention.ts";
import { decideRotation, endSession, isLive, startSession, type Cutoff } from "../refresh-rotation.ts";
import type { SqliteConnection } from "./connection.ts";
import type { RevocationPart } from "./revocations.ts";

const FIXED_COLUMNS = ["id", "subject", "authAt", "absoluteExpiresAt", "facts", "mac"] as const;
const MUTABLE_COLUMNS = [
  "generation",
  "currentDigest",
  "previousDigest",
  "sealedSuccessor",
  "rotatedAt",
  "graceEndsAt",
  "olderGraceEndsAt",
  "issuedAtS",
  "idleExpiresAt",
  "graceStreak",
  "graceHit",
  "endedAt",
  "endReason",
] as const;

/** In the order of the table. */
const COLUMNS = [...FIXED_COLUMNS, ...MUTABLE_COLUMNS] as const;

/** How many sessions are looked at in one command: pruning never blocks the others for long. */
const PRUNE_STEP = 1000;

export interface SessionPart {
  readonly store: SessionStore;
  /** Within a command. A subject's revocation also is its cut-off and ends its sessions. */
  readonly append: (revocation: Revocation, nowMs: number) => RevocationEntry;
  readonly prune: () => Promise<void>;
}

export function createSessionPart(db: SqliteConnection, revocations: RevocationPart): SessionPart {
  const byId = db.prepare("SELECT * FROM sessions WHERE id = ?");
  const bySubject = db.prepare("SELECT * FROM sessions WHERE subject = ? ORDER BY authAt DESC, id");
  const insert = db.prepare(
    `INSERT INTO sessions VALUES (${COLUMNS.map(() => "?").join(", ")}) ON CONFLICT (id) DO NOTHING`,
  );
  const update = db.prepare(
    `UPDATE sessions SET ${MUTABLE_COLUMNS.map((c) => `${c} = ?`).join(", ")} WHERE id = ?`,
  );
  const cutoffOf = db.prepare(`SELECT "at", "before" FROM cutoffs WHERE subject = ?`);
  const putCutoff = db.prepare(
    `INSERT INTO cutoffs VALUES (?, ?, ?, ?) ON CONFLICT (subject) DO UPDATE SET
      "at" = excluded."at", "before" = excluded."before", "until" = max("until", excluded."until")`,
  );
  const stepEnd = db.prepare(
    "SELECT max(rowid) AS last FROM (SELECT rowid FROM sessions WHERE rowid > ? ORDER BY rowid LIMIT ?)",
  );
  const removeOld = db.prepare("DELETE FROM sessions WHERE rowid > ? AND rowid <= ? AND idleExpiresAt <= ?");
  const unseal = db.prepare(
    `UPDATE sessions SET sealedSuccessor = NULL
      WHERE rowid > ? AND rowid <= ? AND graceEndsAt <= ? AND sealedSuccessor IS NOT NULL`,
  );
  const removeCutoffs = db.prepare(`DELETE FROM cutoffs WHERE "until" <= ?`);

  const find = (id: string) => toSessionRecord(byId.get(id));
  const findAll = (subject: string) =>
    bySubject.all(subject).map((row) => toSessionRecord(row) as SessionRecord);
  const cutoff = (subject: string) => (cutoffOf.get(subject) as unknown as Cutoff | undefined) ?? null;
  const save = (session: SessionRecord) =>
    update.run(...MUTABLE_COLUMNS.map((c) => toSqlValue(session[c])), session.id);

  function cutOff(revocation: Revocation & { kind: "subject" }, reason: EndReason, nowMs: number) {
    const subject = revocation.id;
    const sessions = findAll(subject);
    const last = cutoff(subject) ?? { at: 0, before: 0 };
    // The clock may have been set back since the newest token was issued, or since the last cut-off.
    const newest = sessions.reduce((max, session) => Math.max(max, session.issuedAtS), last.before);
    const before = Math.max(revocation.before, Math.ceil(nowMs / 1000), newest);
    putCutoff.run(subject, Math.max(nowMs, last.at), before, revocation.until);
    for (const session of sessions) {
      if (session.endedAt === null) save(endSession(session, reason, nowMs));
    }
    const entry = revocations.append({ ...revocation, before }, nowMs);
    return { entry, live: sessions.filter((session) => isLive(session, nowMs)).length };
  }

  function append(revocation: Revocation, nowMs: number): RevocationEntry {
    if (revocation.kind === "subject") return cutOff(revocation, "revoked", nowMs).entry;
    return revocations.append(revocation, nowMs);
  }

  return {
    append,
    store: {
      create: async (session) =>
        await db.write((nowMs) => {
          const record = startSession(session, nowMs, cutoff(session.subject));
          if (record === null) return { status: "superseded" };
          const { changes } = insert.run(...COLUMNS.map((c) => toSqlValue(record[c])));
          if (changes === 0) throw new HoldfastError("invalid_option", "session.id is taken already");
          return { status: "created", session: record };
        }),
      get: async (id) => await db.read(() => find(id)),
      listBySubject: async (subject) =>
        await db.read((nowMs) => findAll(subject).filter((session) => isLive(session, nowMs))),
      rotate: async (rotation) =>
        await db.write((nowMs) => {
          const record = find(rotation.sessionId);
          const decided = decideRotation(record, rotation, nowMs, record && cutoff(record.subject));
          if (decided.outcome === "unknown") return decided;
          if (decided.outcome === "reuse") append(rotation.onReuse, nowMs);
          if (decided.session !== record) save(decided.session);
          return decided;
        }),
      end: async (id, reason, revocation) =>
        await db.write((nowMs) => {
          append(revocation, nowMs);
          const record = find(id);
          if (record?.endedAt === null) save(endSession(record, reason, nowMs));
        }),
      endAll: async (subject, reason, { issuer, until }) =>
        await db.write((nowMs) => {
          return cutOff({ kind: "subject", id: subject, before: 0, issuer, until }, reason, nowMs).live;
        }),
    },
    async prune() {
      for (let from = 0, next: number | null = 0; next !== null; from = next ?? from) {
        next = await db.write((nowMs) => {
          const { last } = stepEnd.get(from, PRUNE_STEP) as { last: number | null };
          if (last === null) return null;
          removeOld.run(from, last, nowMs - EXPIRED_RETENTION_MS);
          unseal.run(from, last, nowMs);
          return last;
        });
      }
      await db.write((nowMs) => removeCutoffs.run(nowMs - EXPIRED_RETENTION_MS));
    },
  };
}

function toSqlValue(value: string | number | boolean | null): string | number | null {
  return typeof value === "boolean" ? Number(value) : value;
}

/** Column by column, which is half the price of spreading what SQLite returns. */
export function toSessionRecord(row: Record<string, unknown> | undefined): SessionRecord | null {
  if (row === undefined) return null;
  const record: Record<string, unknown> = {};
  for (const column of COLUMNS) record[column] = row[column];
  record["graceHit"] = row["graceHit"] === 1;
  return record as unknown as SessionRecord;
}
