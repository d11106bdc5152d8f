import { isLive } from "../core/session.ts";
import type { SessionRecord } from "./session-store.ts";

/** How many sessions one login ends at most. A subject may have more than the bound from before it was set. */
export const MAX_EVICTED = 10;

/**
 * Among so many sessions, those that began first, the idlest are found. The number is bounded, so that a login costs the
 * same however many sessions its subject has.
 */
export const EVICTION_CANDIDATES = 200;

/**
 * Returns the sessions to end, so that `excess` sessions fewer are left: expired ones first, then those that were not
 * refreshed for the longest time. At most `most`, by default `MAX_EVICTED`. The caller passes the `EVICTION_CANDIDATES` sessions of the
 * subject that began first and have not ended, without the new one.
 *
 * @example
 * ```ts
 * import { EVICTION_CANDIDATES, sessionsToEvict, type SessionRecord } from "holdfast/store-kit";
 *
 * declare const open: readonly SessionRecord[];
 *
 * const candidates = open.toSorted((a, b) => a.authAt - b.authAt).slice(0, EVICTION_CANDIDATES);
 * const evicted = sessionsToEvict(candidates, open.length + 1 - 100, Date.now());
 * ```
 */
export function sessionsToEvict(
  candidates: readonly SessionRecord[],
  excess: number,
  nowMs: number,
  most: number = MAX_EVICTED,
): readonly SessionRecord[] {
  const count = Math.max(0, Math.min(excess, most));
  const lastUse = (session: SessionRecord) => (isLive(session, nowMs) ? session.rotatedAt : 0);
  return candidates.toSorted((a, b) => lastUse(a) - lastUse(b) || a.authAt - b.authAt).slice(0, count);
}
