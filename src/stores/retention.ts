import type { SessionRecord } from "./session-store.ts";

/** How long expired data is kept: one day, so that a clock that was wrong for hours cannot revive a session. */
export const EXPIRED_RETENTION_MS: number = 24 * 60 * 60 * 1000;

/** How long audit events are kept: 90 days. */
export const AUDIT_RETENTION_MS: number = 90 * 24 * 60 * 60 * 1000;

/**
 * Returns the record as `prune` leaves it: without the sealed successor once it can no longer be repeated, and `null` a day
 * after the session has expired. Returns `record` itself when nothing is to be erased.
 *
 * @example
 * ```ts
 * import { pruneSession, type SessionRecord } from "holdfast/store-kit";
 *
 * declare const sessions: Map<string, SessionRecord>;
 *
 * for (const [id, record] of sessions) {
 *   const pruned = pruneSession(record, Date.now());
 *   if (pruned === null) sessions.delete(id);
 *   else sessions.set(id, pruned);
 * }
 * ```
 */
export function pruneSession(record: SessionRecord, nowMs: number): SessionRecord | null {
  if (record.idleExpiresAt <= nowMs - EXPIRED_RETENTION_MS) return null;
  const isOver = record.lostAnswerEndsAt !== null && record.lostAnswerEndsAt <= nowMs;
  return isOver && record.sealedSuccessor !== null ? { ...record, sealedSuccessor: null } : record;
}
