import type { StatementSync } from "node:sqlite";
import { advanceCutoff, type Cutoff } from "../cutoff.ts";
import { EXPIRED_RETENTION_MS } from "../retention.ts";
import type { EndReason, SessionPage, SessionPosition, SessionRecord } from "../session-store.ts";
import { CUTOFF_COLUMNS, insertInto, selectFrom } from "./columns.ts";
import type { SqliteConnection } from "./connection.ts";

const FIXED_COLUMNS = ["id", "subject", "authAt", "absoluteExpiresAt", "facts", "mac", "idleMs"] as const;
const MUTABLE_COLUMNS = [
  "generation",
  "currentDigest",
  "previousDigest",
  "sealedSuccessor",
  "rotatedAt",
  "lostAnswerEndsAt",
  "arrivedAt",
  "previousArrivedAt",
  "rolledBackAt",
  "issuedAtS",
  "idleExpiresAt",
  "repeatStreak",
  "wasRepeated",
  "endedAt",
  "endReason",
] as const;

type Columns = readonly [...typeof FIXED_COLUMNS, ...typeof MUTABLE_COLUMNS];

/** All columns of the table `sessions`. */
export const SESSION_COLUMNS: Columns = [...FIXED_COLUMNS, ...MUTABLE_COLUMNS];

/** A value as SQLite has it. */
type SqlValue<Value> = Value extends boolean ? 0 | 1 : Value;
type ValuesOf<Names extends readonly (keyof SessionRecord)[]> = {
  readonly [I in keyof Names]: SqlValue<SessionRecord[Names[I]]>;
};
/** The values of `SESSION_COLUMNS` in one row. */
export type SessionRow = ValuesOf<Columns>;

/** The tables `sessions` and `cutoffs`. All methods are synchronous: they run within a command or a read. */
export class SessionRows {
  readonly #byId: StatementSync;
  readonly #page: StatementSync;
  readonly #oldest: StatementSync;
  readonly #countOpen: StatementSync;
  readonly #summary: StatementSync;
  readonly #endAll: StatementSync;
  readonly #insert: StatementSync;
  readonly #update: StatementSync;
  readonly #cutoff: StatementSync;
  readonly #saveCutoff: StatementSync;
  readonly #lastCutoff: StatementSync;
  readonly #saveLastCutoff: StatementSync;
  readonly #lastRow: StatementSync;
  readonly #eraseExpired: StatementSync;
  readonly #eraseSuccessors: StatementSync;
  readonly #lastSubject: StatementSync;
  readonly #eraseCutoffs: StatementSync;

  constructor(db: SqliteConnection) {
    const select = selectFrom("sessions", SESSION_COLUMNS);
    this.#byId = db.prepare(`${select} WHERE id = ?`);
    const isOpen = "subject = ? AND endedAt IS NULL";
    this.#page = db.prepare(
      `${select} WHERE ${isOpen} AND authAt <= ? AND (authAt < ? OR id > ?) AND ? < min(idleExpiresAt, absoluteExpiresAt)
        ORDER BY authAt DESC, id LIMIT ?`,
    );
    this.#oldest = db.prepare(`${select} WHERE ${isOpen} AND id <> ? ORDER BY authAt, id DESC LIMIT ?`);
    for (const statement of [this.#byId, this.#page, this.#oldest]) statement.setReturnArrays(true);
    this.#countOpen = db.prepare(
      `SELECT count(*) AS count FROM (SELECT 1 FROM sessions WHERE ${isOpen} LIMIT ?)`,
    );
    this.#summary = db.prepare(
      `SELECT max(issuedAtS) AS newest,
        count(*) FILTER (WHERE endedAt IS NULL AND ? < min(idleExpiresAt, absoluteExpiresAt)) AS live
        FROM sessions WHERE subject = ?`,
    );
    this.#endAll = db.prepare(
      `UPDATE sessions SET currentDigest = '', previousDigest = NULL, sealedSuccessor = NULL, endedAt = ?, endReason = ?
        WHERE ${isOpen}`,
    );
    this.#insert = db.prepare(`${insertInto("sessions", SESSION_COLUMNS)} ON CONFLICT (id) DO NOTHING`);
    this.#update = db.prepare(
      `UPDATE sessions SET ${MUTABLE_COLUMNS.map((column) => `${column} = ?`).join(", ")} WHERE id = ?`,
    );
    this.#cutoff = db.prepare(`SELECT "at", "before", number FROM cutoffs WHERE subject = ?`);
    this.#saveCutoff = db.prepare(
      `${insertInto("cutoffs", CUTOFF_COLUMNS)} ON CONFLICT (subject) DO UPDATE SET
        "at" = excluded."at", "before" = excluded."before", number = excluded.number,
        "until" = max("until", excluded."until")`,
    );
    this.#lastCutoff = db.prepare("SELECT lastCutoff FROM log");
    this.#saveLastCutoff = db.prepare("UPDATE log SET lastCutoff = ?");
    this.#lastRow = db.prepare(
      "SELECT max(rowid) AS last FROM (SELECT rowid FROM sessions WHERE rowid > ? ORDER BY rowid LIMIT ?)",
    );
    this.#eraseExpired = db.prepare(
      "DELETE FROM sessions WHERE rowid > ? AND rowid <= ? AND idleExpiresAt <= ?",
    );
    this.#eraseSuccessors = db.prepare(
      `UPDATE sessions SET sealedSuccessor = NULL
        WHERE rowid > ? AND rowid <= ? AND lostAnswerEndsAt <= ? AND sealedSuccessor IS NOT NULL`,
    );
    this.#lastSubject = db.prepare(
      "SELECT max(subject) AS last FROM (SELECT subject FROM cutoffs WHERE subject > ? ORDER BY subject LIMIT ?)",
    );
    this.#eraseCutoffs = db.prepare(
      `DELETE FROM cutoffs WHERE subject > ? AND subject <= ? AND "until" <= ?`,
    );
  }

  find(id: string): SessionRecord | null {
    const row = this.#byId.get(id) as unknown as SessionRow | undefined;
    return row === undefined ? null : toSessionRecord(row);
  }

  /** Lists live sessions of the subject after the position, newest first. */
  page(subject: string, after: SessionPosition | null, limit: number, nowMs: number): SessionPage {
    const { at, id } = after ?? { at: Number.MAX_SAFE_INTEGER, id: "" };
    const sessions = toSessionRecords(this.#page.all(subject, at, at, id, nowMs, limit));
    const last = sessions.length < limit ? undefined : sessions.at(-1);
    const next = last === undefined ? null : { at: last.authAt, id: last.id };
    // Each column can be read by itself, whatever a damaged file has in another one.
    return { sessions, unreadable: [], next };
  }

  /** Lists the sessions of the subject that began first and have not ended, without the session `except`. */
  oldest(subject: string, except: string, limit: number): SessionRecord[] {
    return toSessionRecords(this.#oldest.all(subject, except, limit));
  }

  /** Counts the sessions of the subject that have not ended, up to `max`. */
  countOpen(subject: string, max: number): number {
    return (this.#countOpen.get(subject, max) as { count: number }).count;
  }

  /** Returns the newest `iat` of all sessions of the subject, and how many are live. */
  summary(subject: string, nowMs: number): { newest: number; live: number } {
    const { newest, live } = this.#summary.get(nowMs, subject) as { newest: number | null; live: number };
    return { newest: newest ?? 0, live };
  }

  /** Does in SQL what `endSession` does, for each session of the subject that has not ended. */
  endAll(subject: string, reason: EndReason, nowMs: number): void {
    this.#endAll.run(nowMs, reason, subject);
  }

  /** Returns whether the id was free. */
  insert(session: SessionRecord): boolean {
    return this.#insert.run(...SESSION_COLUMNS.map((column) => toSqlValue(session[column]))).changes === 1;
  }

  save(session: SessionRecord): void {
    this.#update.run(...MUTABLE_COLUMNS.map((column) => toSqlValue(session[column])), session.id);
  }

  cutoff(subject: string): Cutoff | null {
    return (this.#cutoff.get(subject) as unknown as Cutoff | undefined) ?? null;
  }

  /** Records and returns the next cut-off of the subject. `until` is when it may be forgotten, epoch ms. */
  cutOff(
    subject: string,
    { before: lowest, until }: { readonly before: number; readonly until: number },
    nowMs: number,
  ): Cutoff {
    const context = { before: lowest, sessions: [], nowMs, lastNumber: this.lastCutoff() };
    const cutoff = advanceCutoff(this.cutoff(subject), context);
    const { at, before, number } = cutoff;
    this.#saveCutoff.run(subject, at, before, until, number);
    this.#saveLastCutoff.run(number);
    return cutoff;
  }

  /** The number of the last cut-off of any subject. It outlives the row of that cut-off. */
  lastCutoff(): number {
    return (this.#lastCutoff.get() as { lastCutoff: number }).lastCutoff;
  }

  /**
   * Does in SQL what `pruneSession` does, for the next `count` rows after `rowid`. Returns the last of these rows.
   * `null` when no row follows.
   */
  prune(rowid: number, count: number, nowMs: number): number | null {
    const { last } = this.#lastRow.get(rowid, count) as { last: number | null };
    if (last === null) return null;
    this.#eraseExpired.run(rowid, last, nowMs - EXPIRED_RETENTION_MS);
    this.#eraseSuccessors.run(rowid, last, nowMs);
    return last;
  }

  /**
   * Erases expired cut-offs among the next `count` after the one of `subject`. Returns the last subject of these.
   * `null` when no cut-off follows.
   */
  pruneCutoffs(subject: string, count: number, nowMs: number): string | null {
    const { last } = this.#lastSubject.get(subject, count) as { last: string | null };
    if (last !== null) this.#eraseCutoffs.run(subject, last, nowMs - EXPIRED_RETENTION_MS);
    return last;
  }
}

function toSqlValue(value: string | number | boolean | null): string | number | null {
  return typeof value === "boolean" ? Number(value) : value;
}

function toSessionRecords(rows: unknown): SessionRecord[] {
  return (rows as SessionRow[]).map(toSessionRecord);
}

/**
 * The literal gives all records one hidden class. An object that gets so many properties one by one becomes a hash table,
 * which takes longer to make, to copy and to send to another thread.
 */
export function toSessionRecord(row: SessionRow): SessionRecord {
  const [
    id,
    subject,
    authAt,
    absoluteExpiresAt,
    facts,
    mac,
    idleMs,
    generation,
    currentDigest,
    previousDigest,
    sealedSuccessor,
    rotatedAt,
    lostAnswerEndsAt,
    arrivedAt,
    previousArrivedAt,
    rolledBackAt,
    issuedAtS,
    idleExpiresAt,
    repeatStreak,
    wasRepeated,
    endedAt,
    endReason,
  ] = row;
  return {
    id,
    subject,
    authAt,
    absoluteExpiresAt,
    facts,
    mac,
    idleMs,
    generation,
    currentDigest,
    previousDigest,
    sealedSuccessor,
    rotatedAt,
    lostAnswerEndsAt,
    arrivedAt,
    previousArrivedAt,
    rolledBackAt,
    issuedAtS,
    idleExpiresAt,
    repeatStreak,
    wasRepeated: wasRepeated === 1,
    endedAt,
    endReason,
  };
}
