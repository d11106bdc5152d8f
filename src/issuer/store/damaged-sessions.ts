import type { Clock } from "../../core/clock.ts";
import { TtlCache } from "../../resilience/ttl-cache.ts";
import type { IssuerCounts } from "../metrics/issuer-counts.ts";
import type { EventRecorder } from "../issuer-base.ts";

/** A client repeats a refresh that is 503, so a damaged session is reported once in this time. */
const REPEAT_MS = 3_600_000;
/** Memory for about 1,000 sessions. */
const MAX_BYTES = 262_144;
const BYTES_PER_SESSION = 256;

/** Returns a function that counts and audits that the record of a session cannot be read. */
export function reportDamaged(
  { audit }: EventRecorder,
  counts: Pick<IssuerCounts, "damagedSessions">,
  clock: Clock,
): (sessionId: string) => void {
  const reported = new TtlCache<true>({ maxBytes: MAX_BYTES, clock });
  return (sessionId) => {
    counts.damagedSessions++;
    if (reported.get(sessionId) !== undefined) return;
    reported.set(sessionId, true, { ttlMs: REPEAT_MS, bytes: BYTES_PER_SESSION });
    const detail = "the record of the session cannot be read: end the session, or restore a backup";
    void audit("record_tampered", { session: sessionId, detail });
  };
}
