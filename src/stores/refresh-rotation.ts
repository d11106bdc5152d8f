import { isLive } from "../core/session.ts";
import { isCutOff, type Cutoff } from "./cutoff.ts";
import type { EndReason, NewSession, Rotation, RotationOutcome, SessionRecord } from "./session-store.ts";

/**
 * Returns the record of a new session, or `null` when the session is superseded: its credentials were checked at or
 * before the subject's cut-off. A check in the future is superseded, too. The clock was set back after it, so a cut-off
 * that followed it cannot be compared with it.
 *
 * @example
 * ```ts
 * import { startSession, type Cutoff, type NewSession } from "holdfast/store-kit";
 *
 * declare const session: NewSession;
 * declare const cutoff: Cutoff | null;
 *
 * const record = startSession(session, Date.now(), cutoff);
 * if (record === null) console.log("superseded");
 * ```
 */
export function startSession(
  session: NewSession,
  nowMs: number,
  cutoff: Cutoff | null,
): SessionRecord | null {
  if (isCutOff(session, cutoff) || session.authAt > nowMs) return null;
  const { idleMs, currentDigest, id, subject, authAt, absoluteExpiresAt, facts, mac } = session;
  return {
    id,
    subject,
    authAt,
    absoluteExpiresAt,
    facts,
    mac,
    generation: 1,
    currentDigest,
    previousDigest: null,
    sealedSuccessor: null,
    rotatedAt: nowMs,
    graceEndsAt: null,
    olderGraceEndsAt: null,
    issuedAtS: nextIssuedAtS(0, nowMs, cutoff),
    idleExpiresAt: Math.min(nowMs + idleMs, absoluteExpiresAt),
    graceStreak: 0,
    graceHit: false,
    endedAt: null,
    endReason: null,
  };
}

/**
 * Decides what a presented refresh token means for its session. The function is pure: the outcome carries the record
 * to store, and the same object when nothing changed.
 *
 * The issuer has verified the token's MAC, so its session and generation are authentic. The record therefore keeps no
 * digest older than the previous token's. Digests are keyed, so the comparison need not take constant time.
 *
 * @example
 * ```ts
 * import { decideRotation, type Rotation, type SessionRecord } from "holdfast/store-kit";
 *
 * declare const sessions: Map<string, SessionRecord>;
 * declare const rotation: Rotation;
 *
 * const record = sessions.get(rotation.sessionId) ?? null;
 * const decided = decideRotation(record, rotation, Date.now(), null);
 * if (decided.outcome !== "unknown") sessions.set(rotation.sessionId, decided.session);
 * ```
 */
export function decideRotation(
  record: SessionRecord | null,
  rotation: Rotation,
  nowMs: number,
  cutoff: Cutoff | null,
): RotationOutcome {
  if (record === null) return { outcome: "unknown" };
  // This check comes first: no token of an ended session may be reported as reuse.
  if (!isLive(record, nowMs) || isCutOff(record, cutoff)) return { outcome: "ended", session: record };

  const behind = record.generation - rotation.generation;
  if (behind < 0) return { outcome: "unknown" };
  if (behind === 0) {
    if (rotation.presentedDigest !== record.currentDigest) return { outcome: "unknown" };
    return { outcome: "rotated", session: rotateSession(record, rotation, nowMs, cutoff) };
  }
  if (behind === 1) {
    if (rotation.presentedDigest !== record.previousDigest) return { outcome: "unknown" };
    if (isBefore(nowMs, record.graceEndsAt)) return repeatSuccessor(record);
  }
  if (behind === 2 && isBefore(nowMs, record.olderGraceEndsAt)) {
    return { outcome: "conflict", session: record };
  }
  return { outcome: "reuse", session: endSession(record, "reuse", nowMs) };
}

/**
 * Returns the record of the session after its end. It holds no digest and no sealed token.
 *
 * @example
 * ```ts
 * import { endSession, type SessionRecord } from "holdfast/store-kit";
 *
 * declare const record: SessionRecord;
 *
 * const ended = record.endedAt === null ? endSession(record, "logout", Date.now()) : record;
 * ```
 */
export function endSession(record: SessionRecord, reason: EndReason, nowMs: number): SessionRecord {
  return {
    ...record,
    currentDigest: "",
    previousDigest: null,
    sealedSuccessor: null,
    endedAt: nowMs,
    endReason: reason,
  };
}

function rotateSession(
  record: SessionRecord,
  rotation: Rotation,
  nowMs: number,
  cutoff: Cutoff | null,
): SessionRecord {
  return {
    ...record,
    generation: record.generation + 1,
    currentDigest: rotation.successorDigest,
    previousDigest: rotation.presentedDigest,
    sealedSuccessor: rotation.sealedSuccessor,
    rotatedAt: nowMs,
    // The grace period of a token counts from its first rotation. No later presentation extends it.
    graceEndsAt: nowMs + rotation.graceMs,
    olderGraceEndsAt: record.graceEndsAt,
    issuedAtS: nextIssuedAtS(record.issuedAtS, nowMs, cutoff),
    idleExpiresAt: Math.min(nowMs + rotation.idleMs, record.absoluteExpiresAt),
    graceStreak: record.graceHit ? record.graceStreak : 0,
    graceHit: false,
  };
}

function repeatSuccessor(record: SessionRecord): RotationOutcome {
  const { sealedSuccessor } = record;
  // The clock was set back into a grace period whose successor is already erased. This does not prove reuse.
  if (sealedSuccessor === null) return { outcome: "conflict", session: record };
  const session = record.graceHit
    ? record
    : { ...record, graceHit: true, graceStreak: record.graceStreak + 1 };
  return { outcome: "repeated", session, sealedSuccessor };
}

/** Never less than the previous `iat`, even after the clock was set back: a cut-off covers the newest one. */
function nextIssuedAtS(previous: number, nowMs: number, cutoff: Cutoff | null): number {
  return Math.max(Math.floor(nowMs / 1000), previous, cutoff === null ? 0 : cutoff.before + 1);
}

function isBefore(nowMs: number, end: number | null): boolean {
  return end !== null && nowMs < end;
}
