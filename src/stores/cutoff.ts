import type { NewSession, SessionRecord } from "./session-store.ts";

/** The last cut-off of a subject. All sessions and access tokens from before it are revoked. */
export interface Cutoff {
  /** When the sessions were ended, epoch ms. */
  readonly at: number;
  /** Epoch seconds. A token without a number is revoked when its `iat` is not greater. */
  readonly before: number;
  /**
   * Greater than the number of every earlier cut-off. It orders cut-offs and logins, because clocks of several machines
   * cannot. A login or token with a lower number is from before the cut-off.
   */
  readonly number: number;
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
 * declare let lastNumber: number;
 *
 * const last = cutoffs.get("alice") ?? null;
 * const cutoff = advanceCutoff(last, { before: 0, sessions, nowMs: Date.now(), lastNumber });
 * lastNumber = cutoff.number;
 * cutoffs.set("alice", cutoff);
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
    /** The number of the store's last cut-off, of any subject. 0 before the first one. */
    readonly lastNumber: number;
  },
): Cutoff {
  const { before, sessions, nowMs, lastNumber } = revocation;
  const newest = sessions.reduce((max, session) => Math.max(max, session.issuedAtS), last?.before ?? 0);
  return {
    at: Math.max(nowMs, last?.at ?? 0),
    before: Math.max(before, Math.ceil(nowMs / 1000), newest),
    // The time keeps the number growing when a restored store has lost the last number.
    number: Math.max(nowMs, lastNumber + 1),
  };
}

/** Whether the credentials of the session may have been checked before its subject was cut off. */
export function isCutOff({ mark }: Pick<NewSession, "mark">, cutoff: Cutoff | null): boolean {
  return cutoff !== null && mark < cutoff.number;
}
