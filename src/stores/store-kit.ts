/*
 * The public entry for authors of stores: the rules of sessions, keys and the revocation log, as pure functions.
 */

export { HoldfastError, isHoldfastError, type ErrorCode } from "../core/errors.ts";
export { systemClock, type Clock } from "../core/clock.ts";
export type { AuditEvent } from "../core/events.ts";
export type { LogPosition, Revocation, RevocationEntry } from "../core/revocation.ts";
export { advanceCutoff, type Cutoff } from "./cutoff.ts";
export { decideKeyRotation } from "./signing-key-rotation.ts";
export { isLive } from "../core/session.ts";
export { acknowledgeSuccessor, decideRotation, endSession, startSession } from "./refresh-rotation.ts";
export { AUDIT_RETENTION_MS, EXPIRED_RETENTION_MS, pruneSession } from "./retention.ts";
export { nextEntry, pruneEntries, RevocationListeners, tailAfter } from "./revocation-log.ts";
export type { RevocationListener } from "./revocation-log.ts";
export type * from "./attempt-store.ts";
export type * from "./session-cap.ts";
export { EVICTION_CANDIDATES, MAX_EVICTED, sessionsToEvict } from "./session-eviction.ts";
export type * from "./session-store.ts";
export type * from "./store.ts";
export type * from "./user-store.ts";
