import { HoldfastError } from "../core/errors.ts";
import type { Revocation, RevocationEntry } from "../core/revocation.ts";
import type {
  EndReason,
  NewSession,
  Rotation,
  RotationOutcome,
  SessionRecord,
  SessionStore,
} from "./contracts.ts";
import { decideRotation, endedSession, isLive, startSession, type Cutoff } from "./rotation.ts";

/**
 * The rows behind sessions and their revocations. The commands below run synchronously, each inside one
 * transaction, and leave what they do not finish to be rolled back.
 */
export interface SessionTables {
  session(id: string): SessionRecord | null;
  /** Ended and expired ones too. */
  sessionsOf(subject: string): readonly SessionRecord[];
  /** False when the id is taken. */
  insert(session: SessionRecord): boolean;
  save(session: SessionRecord): void;
  cutoff(subject: string): Cutoff | null;
  /** `until`: how long it must be kept, epoch ms. */
  saveCutoff(subject: string, cutoff: Cutoff, until: number): void;
  append(revocation: Revocation, nowMs: number): RevocationEntry;
}

export function createSession(
  tables: SessionTables,
  session: NewSession,
  nowMs: number,
): Awaited<ReturnType<SessionStore["create"]>> {
  const record = startSession(session, nowMs, tables.cutoff(session.subject));
  if (record === null) return { status: "superseded" };
  if (!tables.insert(record)) throw new HoldfastError("invalid_option", "session.id is taken already");
  return { status: "created", session: record };
}

export function rotateSession(tables: SessionTables, rotation: Rotation, nowMs: number): RotationOutcome {
  const record = tables.session(rotation.sessionId);
  const cutoff = record && tables.cutoff(record.subject);
  const decided = decideRotation(record, rotation, nowMs, cutoff);
  if (decided.outcome === "unknown") return decided;
  if (decided.outcome === "reuse") tables.append(rotation.onReuse, nowMs);
  if (decided.session !== record) tables.save(decided.session);
  return decided;
}

export function endSession(
  tables: SessionTables,
  id: string,
  reason: EndReason,
  revocation: Revocation,
  nowMs: number,
): void {
  appendRevocation(tables, revocation, nowMs);
  const record = tables.session(id);
  if (record?.endedAt === null) tables.save(endedSession(record, reason, nowMs));
}

/** Returns how many sessions were live. */
export function endSubject(
  tables: SessionTables,
  subject: string,
  reason: EndReason,
  revocation: { issuer: string; until: number },
  nowMs: number,
): number {
  const { issuer, until } = revocation;
  const live = liveSessions(tables, subject, nowMs).length;
  cutOffSubject(tables, { kind: "subject", id: subject, before: 0, issuer, until }, reason, nowMs);
  return live;
}

/** A subject's revocation also is its cut-off and ends its sessions. */
export function appendRevocation(
  tables: SessionTables,
  revocation: Revocation,
  nowMs: number,
): RevocationEntry {
  if (revocation.kind === "subject") return cutOffSubject(tables, revocation, "revoked", nowMs);
  return tables.append(revocation, nowMs);
}

/** Newest first. */
export function liveSessions(
  tables: SessionTables,
  subject: string,
  nowMs: number,
): readonly SessionRecord[] {
  return tables
    .sessionsOf(subject)
    .filter((session) => isLive(session, nowMs))
    .toSorted((a, b) => b.authAt - a.authAt || (a.id < b.id ? -1 : 1));
}

function cutOffSubject(
  tables: SessionTables,
  revocation: Extract<Revocation, { kind: "subject" }>,
  reason: EndReason,
  nowMs: number,
): RevocationEntry {
  const sessions = tables.sessionsOf(revocation.id);
  const last = tables.cutoff(revocation.id) ?? { at: 0, before: 0 };
  // The clock may have been set back since the newest token was issued, or since the last cut-off.
  const newest = sessions.reduce((max, session) => Math.max(max, session.issuedAtS), last.before);
  const before = Math.max(revocation.before, Math.ceil(nowMs / 1000), newest);
  tables.saveCutoff(revocation.id, { at: Math.max(nowMs, last.at), before }, revocation.until);
  for (const session of sessions) {
    if (session.endedAt === null) tables.save(endedSession(session, reason, nowMs));
  }
  return tables.append({ ...revocation, before }, nowMs);
}
