import type {
  EndReason,
  NewSession,
  Rotation,
  RotationOutcome,
  SessionFacts,
  SessionRecord,
} from "./store.ts";

/** From when on a subject's sessions count: everything it authenticated for before is over. */
export interface Cutoff {
  /** Epoch ms, compared with a session's `authAt`. */
  readonly at: number;
  /** Epoch seconds, compared with a token's `iat`: later tokens get a greater one. */
  readonly before: number;
}

/**
 * The record of a new session, or `null` when its credentials were checked no later than the cut-off. Nor is a check
 * in what is the future now believed: the clock was set back since, and so were the cut-offs of that time.
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
 * What a presented refresh token means for its session. Pure: the outcome carries the record as it is from now
 * on, the same object when nothing changed. The caller proved the token's MAC before, so its session and
 * generation are authentic; no digest is kept further back than the previous token. Digests are keyed, so they
 * need no comparison in constant time.
 */
export function decideRotation(
  record: SessionRecord | null,
  rotation: Rotation,
  nowMs: number,
  cutoff: Cutoff | null,
): RotationOutcome {
  if (record === null) return { outcome: "unknown" };
  // Before anything else: a session that is over raises no alarm, whatever is presented.
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

/** Neither ended nor expired. */
export function isLive(record: SessionRecord, nowMs: number): boolean {
  return record.endedAt === null && nowMs < record.idleExpiresAt && nowMs < record.absoluteExpiresAt;
}

/** The record of a session at its end, without anything that a token could be compared with. */
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
    // Each token keeps the window of its own first rotation: no presentation arms it again.
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
  // Erased although grace runs: the clock was set back. Nothing can be given, and nothing was proved.
  if (sealedSuccessor === null) return { outcome: "conflict", session: record };
  const session = record.graceHit
    ? record
    : { ...record, graceHit: true, graceStreak: record.graceStreak + 1 };
  return { outcome: "repeated", session, sealedSuccessor };
}

function isCutOff(session: SessionFacts, cutoff: Cutoff | null): boolean {
  return cutoff !== null && session.authAt <= cutoff.at;
}

/** Never less than the one before, even if the clock was set back: a cut-off covers the newest. */
function nextIssuedAtS(previous: number, nowMs: number, cutoff: Cutoff | null): number {
  return Math.max(Math.floor(nowMs / 1000), previous, cutoff === null ? 0 : cutoff.before + 1);
}

function isBefore(nowMs: number, end: number | null): boolean {
  return end !== null && nowMs < end;
}
