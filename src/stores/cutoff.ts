import type { SessionFacts, SessionRecord } from "./session-store.ts";

/** The moment up to which a subject's sessions and access tokens have been revoked. */
export interface Cutoff {
  /** Epoch ms. A session whose `authAt` is not later has ended. */
  readonly at: number;
  /** Epoch seconds. A token whose `iat` is not greater has been revoked. */
  readonly before: number;
}

/**
 * Returns the subject's cut-off after one more revocation. It covers every `iat` of `sessions`. Its values are not
 * lower than those of `last`, even if the clock was set back since.
 *
 * @example
 * ```ts
 * import { advanceCutoff, type Cutoff, type SessionRecord } from "holdfast/store-kit";
 *
 * declare const cutoffs: Map<string, Cutoff>;
 * declare const sessions: readonly SessionRecord[];
 *
 * const last = cutoffs.get("alice") ?? null;
 * cutoffs.set("alice", advanceCutoff(last, { before: 0, sessions, nowMs: Date.now() }));
 * ```
 */
export function advanceCutoff(
  last: Cutoff | null,
  revocation: {
    /** `before` of the revocation, epoch seconds. */
    readonly before: number;
    /** Every session of the subject, whether live or not. */
    readonly sessions: readonly SessionRecord[];
    readonly nowMs: number;
  },
): Cutoff {
  const { before, sessions, nowMs } = revocation;
  const newest = sessions.reduce((max, session) => Math.max(max, session.issuedAtS), last?.before ?? 0);
  return {
    at: Math.max(nowMs, last?.at ?? 0),
    before: Math.max(before, Math.ceil(nowMs / 1000), newest),
  };
}

/** Whether the session began before its subject was cut off. */
export function isCutOff(session: SessionFacts, cutoff: Cutoff | null): boolean {
  return cutoff !== null && session.authAt <= cutoff.at;
}
