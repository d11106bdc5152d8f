import { HoldfastError } from "../../core/errors.ts";
import type { Revocation, RevocationEntry } from "../../core/revocation.ts";
import { acknowledgeSuccessor, decideRotation, endSession, startSession } from "../refresh-rotation.ts";
import type { EndReason, SessionStore } from "../session-store.ts";
import type { SqliteConnection } from "./connection.ts";
import type { RevocationPart } from "./revocations.ts";
import { evict } from "./session-eviction.ts";
import { SessionRows } from "./session-rows.ts";

/**
 * Sessions that one command of `prune` examines. A command takes about a millisecond when it changes a third of them, and a
 * refresh waits for two commands at most.
 */
const PRUNE_BATCH = 250;

/** The sessions of the store, and the appending of revocations that end sessions. */
export interface SessionPart {
  readonly store: SessionStore;
  /** Called by a command. Appends a revocation; one of kind `subject` also ends the subject's sessions. */
  readonly append: (revocation: Revocation, nowMs: number) => RevocationEntry;
  readonly prune: () => Promise<void>;
}

export function createSessionPart(db: SqliteConnection, revocations: RevocationPart): SessionPart {
  const rows = new SessionRows(db);

  /**
   * Records the cut-off, ends the subject's sessions and appends the entry. Returns the entry and how many were live.
   */
  function endSubject(revocation: Revocation & { kind: "subject" }, reason: EndReason, nowMs: number) {
    const { id: subject, until } = revocation;
    const { newest, live } = rows.summary(subject, nowMs);
    const covered = Math.max(revocation.before, newest);
    const { before, number } = rows.cutOff(subject, { before: covered, until }, nowMs);
    rows.endAll(subject, reason, nowMs);
    const entry = revocations.append({ ...revocation, before, number }, nowMs);
    return { entry, live };
  }

  function append(revocation: Revocation, nowMs: number): RevocationEntry {
    if (revocation.kind === "subject") return endSubject(revocation, "revoked", nowMs).entry;
    return revocations.append(revocation, nowMs);
  }

  const store: SessionStore = {
    // The counter and not the time: processes with different clocks may share the file.
    mark: async () => await db.read(() => rows.lastCutoff()),
    create: async (session, cap) =>
      await db.write((nowMs) => {
        const cutoff = rows.cutoff(session.subject);
        const record = startSession(session, nowMs, cutoff);
        if (record === null) return { status: "superseded", number: cutoff?.number ?? 0 };
        if (!rows.insert(record)) throw new HoldfastError("invalid_option", "session.id is taken already");
        const evicted = cap === undefined ? [] : evict({ rows, revocations }, record, cap, nowMs);
        return { status: "created", session: record, evicted };
      }),
    get: async (id) => await db.read(() => rows.find(id)),
    listBySubject: async (subject, { after = null, limit }) =>
      await db.read((nowMs) => rows.page(subject, after, limit, nowMs)),
    rotate: async (rotation) =>
      await db.write((nowMs) => {
        const record = rows.find(rotation.sessionId);
        const decided = decideRotation(record, rotation, nowMs);
        if (decided.outcome === "unknown") return decided;
        if (decided.outcome === "reuse") append(rotation.onReuse, nowMs);
        if (decided.session !== record) rows.save(decided.session);
        return decided;
      }),
    acknowledge: async (sign) =>
      await db.write((nowMs) => {
        const changed = acknowledgeSuccessor(rows.find(sign.sessionId), sign, nowMs);
        if (changed === null) return "unchanged";
        rows.save(changed);
        return "acknowledged";
      }),
    end: async (id, reason, revocation) =>
      await db.write((nowMs) => {
        append(revocation, nowMs);
        const record = rows.find(id);
        if (record?.endedAt === null) rows.save(endSession(record, reason, nowMs));
      }),
    endAll: async (subject, reason, { issuer, until }) =>
      await db.write((nowMs) => {
        return endSubject({ kind: "subject", id: subject, before: 0, issuer, until }, reason, nowMs).live;
      }),
  };

  async function prune(): Promise<void> {
    let last: number | null = 0;
    while (last !== null) {
      const from: number = last;
      last = await db.write((nowMs) => rows.prune(from, PRUNE_BATCH, nowMs));
    }
    let subject: string | null = "";
    while (subject !== null) {
      const from: string = subject;
      subject = await db.write((nowMs) => rows.pruneCutoffs(from, PRUNE_BATCH, nowMs));
    }
  }

  return { store, append, prune };
}
