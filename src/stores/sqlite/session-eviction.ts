import { isLive } from "../../core/session.ts";
import { endSession } from "../refresh-rotation.ts";
import type { SessionCap } from "../session-cap.ts";
import { EVICTION_CANDIDATES, MAX_EVICTED, sessionsToEvict } from "../session-eviction.ts";
import type { SessionRecord } from "../session-store.ts";
import type { RevocationPart } from "./revocations.ts";
import type { SessionRows } from "./session-rows.ts";

/** Ends the subject's sessions beyond the bound, as a part of the command that began `own`. Returns those that were live. */
export function evict(
  { rows, revocations }: { rows: SessionRows; revocations: RevocationPart },
  { id: own, subject }: SessionRecord,
  { max, issuer, until }: SessionCap,
  nowMs: number,
): SessionRecord[] {
  const excess = rows.countOpen(subject, max + MAX_EVICTED) - max;
  if (excess <= 0) return [];
  const candidates = rows.oldest(subject, own, EVICTION_CANDIDATES);
  return sessionsToEvict(candidates, excess, nowMs).flatMap((session) => {
    const ended = endSession(session, "evicted", nowMs);
    rows.save(ended);
    // No access token of an expired session is left that a guard could accept.
    if (!isLive(session, nowMs)) return [];
    revocations.append({ kind: "session", id: session.id, issuer, until }, nowMs);
    return [ended];
  });
}
