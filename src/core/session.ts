/** The times that bound a session, in epoch milliseconds. */
export interface SessionTimes {
  /** When the session was ended. `null` when it was not. */
  readonly endedAt: number | null;
  readonly idleExpiresAt: number;
  readonly absoluteExpiresAt: number;
}

/** When the session expires unless it is refreshed. */
export function sessionExpiresAt({ idleExpiresAt, absoluteExpiresAt }: SessionTimes): number {
  return Math.min(idleExpiresAt, absoluteExpiresAt);
}

/**
 * Whether the session is in use: it has not ended and not expired.
 *
 * @example
 * ```ts
 * import { isLive, type SessionRecord } from "holdfast/store-kit";
 *
 * declare const sessions: readonly SessionRecord[];
 *
 * const live = sessions.filter((session) => isLive(session, Date.now()));
 * ```
 */
export function isLive(session: SessionTimes, nowMs: number): boolean {
  return session.endedAt === null && nowMs < sessionExpiresAt(session);
}
