import { within } from "./platform.ts";
import { newest, noRecord } from "./record.ts";
import type { Session } from "./session.ts";
import { PAUSE_MS, STORAGE_WAIT_MS } from "./timing.ts";
import type { AuthRecord, AuthState, AuthStorage } from "./types.ts";

/** Takes over a record, unless a newer one is known, and calls the listeners when the state has changed. */
const apply = (session: Session, stored: AuthRecord, persistence: AuthStorage["persistence"]) => {
  const { clock } = session;
  const record = newest(stored, session.record);
  if (record.n !== session.record.n) {
    session.trouble = null;
    session.retryAt = -Infinity;
    session.newAt = clock.monotonic() - Math.max(0, clock.now() - record.at);
  }
  session.record = record;
  const state: AuthState = record.life
    ? {
        status: "in",
        sessionId: record.sid,
        subject: record.sub,
        expiresAt: record.at + record.life,
        persistence,
        trouble: session.trouble,
      }
    : { status: "out", cause: record.out };
  if (JSON.stringify(state) !== JSON.stringify(session.state)) {
    session.state = state;
    // The error of a listener reaches the page, and no other listener.
    for (const listener of session.listeners) void session.ready.then(() => listener());
  }
  return record;
};

/**
 * Reads the record that all pages share, and writes what `change` makes of it: `undefined` changes nothing. After a failure
 * of the storage the page uses its own copy, and writes the copy when the storage works again. A page
 * without a storage keeps the record to itself. It never rejects.
 */
export const update = async (
  session: Session,
  change?: (record: AuthRecord) => AuthRecord | undefined,
): Promise<AuthRecord> => {
  const { clock, storage } = session;
  const now = clock.monotonic();
  let next: AuthRecord | undefined;
  let isLate = false;
  const decide = (found: AuthRecord | null) => {
    // A transaction that begins after its time must not repeat an old decision about a newer record.
    if (isLate) return undefined;
    if (!found && session.wasStored && session.record.life) {
      // The user or the browser deleted the session. The page keeps it, and does not store it again.
      session.storageRetryAt = Infinity;
      throw new Error("deleted");
    }
    const stored = found ?? noRecord;
    const known = newest(stored, session.record);
    next = change?.(known);
    return next ?? (known === stored ? undefined : known);
  };
  if (storage && now >= session.storageRetryAt) {
    try {
      const record = await within(session, STORAGE_WAIT_MS, storage.update(decide));
      session.wasStored ||= Boolean(record);
      if (next) session.channel?.postMessage(next);
      return apply(session, record ?? noRecord, storage.persistence);
    } catch {
      isLate = true;
      session.storageRetryAt = Math.max(session.storageRetryAt, now + PAUSE_MS);
    }
  }
  next = change?.(session.record);
  if (storage && next) session.channel?.postMessage(next);
  return apply(session, next ?? session.record, "memory");
};
