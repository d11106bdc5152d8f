import { isLive } from "../core/session.ts";
import { isCutOff, type Cutoff } from "./cutoff.ts";
import type {
  Acknowledgement,
  EndReason,
  NewSession,
  Rotation,
  RotationOutcome,
  SessionRecord,
} from "./session-store.ts";

/**
 * Returns the record of a new session, or `null` when the session is superseded: its credentials may have been checked
 * before the subject's cut-off, because its `mark` is lower.
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
  if (isCutOff(session, cutoff)) return null;
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
    lostAnswerEndsAt: null,
    arrivedAt: null,
    previousArrivedAt: null,
    rolledBackAt: null,
    issuedAtS: nextIssuedAtS(0, nowMs),
    idleMs,
    idleExpiresAt: Math.min(nowMs + idleMs, absoluteExpiresAt),
    repeatStreak: 0,
    wasRepeated: false,
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
 * const decided = decideRotation(record, rotation, Date.now());
 * if (decided.outcome !== "unknown") sessions.set(rotation.sessionId, decided.session);
 * ```
 */
export function decideRotation(
  record: SessionRecord | null,
  rotation: Rotation,
  nowMs: number,
): RotationOutcome {
  if (record === null) return { outcome: "unknown" };
  const { generation, presentedDigest, conflictMs } = rotation;
  const behind = record.generation - generation;
  // This check comes first: no token of an ended session may be reported as reuse.
  if (!isRefreshable(record, rotation, nowMs)) return { outcome: "ended", session: record };
  // The MAC proves that the issuer made the token, so the store has lost the rotation that led to it.
  if (behind < 0) {
    const session = { ...rotateSession(record, rotation, nowMs), rolledBackAt: nowMs };
    return { outcome: "resumed", session };
  }
  if (behind === 0) {
    if (presentedDigest !== record.currentDigest) return { outcome: "forked", session: record };
    return { outcome: "rotated", session: rotateSession(record, rotation, nowMs) };
  }
  if (behind === 1) {
    if (presentedDigest !== record.previousDigest) return { outcome: "forked", session: record };
    if (record.arrivedAt === null) return repeatSuccessor(record, nowMs);
    if (nowMs < record.arrivedAt + conflictMs) return { outcome: "conflict", session: record };
  } else {
    const { previousArrivedAt } = record;
    const isRecent = previousArrivedAt !== null && nowMs < previousArrivedAt + conflictMs;
    if (behind === 2 && isRecent) return { outcome: "conflict", session: record };
    if (isFromLostBranch(record, rotation)) return { outcome: "forked", session: record };
  }
  return { outcome: "reuse", session: endSession(record, "reuse", nowMs) };
}

/**
 * Decides what a sign of arrival changes. Returns the record to store, and `null` when nothing changes: the session is
 * not live, or the generation is not its current one, was acknowledged before or is the first.
 *
 * @example
 * ```ts
 * import { acknowledgeSuccessor, type Acknowledgement, type SessionRecord } from "holdfast/store-kit";
 *
 * declare const sessions: Map<string, SessionRecord>;
 * declare const sign: Acknowledgement;
 *
 * const record = sessions.get(sign.sessionId) ?? null;
 * const changed = acknowledgeSuccessor(record, sign, Date.now());
 * if (changed !== null) sessions.set(sign.sessionId, changed);
 * ```
 */
export function acknowledgeSuccessor(
  record: SessionRecord | null,
  { generation, digest }: Acknowledgement,
  nowMs: number,
): SessionRecord | null {
  if (record === null || !isLive(record, nowMs)) return null;
  if (record.generation !== generation || record.previousDigest === null) return null;
  if (record.arrivedAt !== null || (digest !== null && digest !== record.currentDigest)) return null;
  return { ...record, arrivedAt: nowMs, sealedSuccessor: null };
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

/** Whether the session is live, or was live until now according to a token that is ahead of the store. */
function isRefreshable(record: SessionRecord, { generation, expiresAt }: Rotation, nowMs: number): boolean {
  if (isLive(record, nowMs)) return true;
  if (record.endedAt !== null || nowMs >= record.absoluteExpiresAt) return false;
  return generation > record.generation && expiresAt !== null && nowMs < expiresAt;
}

/**
 * Whether the token is older than the last moment at which the store was found to have gone back. Tokens of the lost
 * branch then carry the same generations as tokens of the branch that goes on, so an old one proves nothing.
 */
function isFromLostBranch({ rolledBackAt }: SessionRecord, { issuedAt }: Rotation): boolean {
  return rolledBackAt !== null && (issuedAt === null || issuedAt <= rolledBackAt);
}

function rotateSession(record: SessionRecord, rotation: Rotation, nowMs: number): SessionRecord {
  return {
    ...record,
    generation: rotation.generation + 1,
    currentDigest: rotation.successorDigest,
    previousDigest: rotation.presentedDigest,
    sealedSuccessor: rotation.sealedSuccessor,
    rotatedAt: nowMs,
    // The time counts from the first rotation of a token. No later presentation extends it.
    lostAnswerEndsAt: nowMs + rotation.lostAnswerMs,
    arrivedAt: null,
    // The presentation itself is a sign that the presented token arrived.
    previousArrivedAt: rotation.generation === record.generation ? (record.arrivedAt ?? nowMs) : nowMs,
    issuedAtS: nextIssuedAtS(record.issuedAtS, nowMs),
    idleExpiresAt: Math.min(nowMs + record.idleMs, record.absoluteExpiresAt),
    repeatStreak: record.wasRepeated ? record.repeatStreak : 0,
    wasRepeated: false,
  };
}

/** Nothing proves that the client has the successor, so whatever happens here is no sign of a thief. */
function repeatSuccessor(record: SessionRecord, nowMs: number): RotationOutcome {
  const { sealedSuccessor, lostAnswerEndsAt, rotatedAt } = record;
  if (lostAnswerEndsAt === null || nowMs >= lostAnswerEndsAt) return { outcome: "late", session: record };
  // The clock was set back into a time whose successor is already erased.
  if (sealedSuccessor === null) return { outcome: "conflict", session: record };
  const issuedAtS = nextIssuedAtS(record.issuedAtS, nowMs);
  const repeatStreak = record.repeatStreak + (record.wasRepeated ? 0 : 1);
  const isUnchanged = record.wasRepeated && issuedAtS === record.issuedAtS;
  const session = isUnchanged ? record : { ...record, wasRepeated: true, repeatStreak, issuedAtS };
  return { outcome: "repeated", session, sealedSuccessor, behindMs: Math.max(0, nowMs - rotatedAt) };
}

/** Never less than the previous `iat`, even after the clock was set back: a cut-off covers the newest one. */
function nextIssuedAtS(previous: number, nowMs: number): number {
  return Math.max(Math.floor(nowMs / 1000), previous);
}
