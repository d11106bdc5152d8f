import { within } from "./platform.ts";
import { newest, noRecord } from "./record.ts";
import type { Change, Session } from "./session.ts";
import { PAUSE_MS, STORAGE_WAIT_MS } from "./timing.ts";
import type { AuthRecord, AuthState, AuthStorage } from "./types.ts";

/**
 * Creates the function that reads the record that all pages share, and writes what `change` makes of it. After a failure
 * of the storage the page uses its own copy, and writes the copy when the storage works again. Without a storage the
 * record stays in this page. It never rejects.
 */
export const createUpdate = (
  session: Session,
  storage: AuthStorage | undefined,
): ((change?: Change) => Promise<AuthRecord>) => {
  const { clock } = session;
  let wasStored = false;
  /** The monotonic time before which the storage is not asked. */
  let retryAt = -Infinity;

  /** Takes over a record, unless a newer one is known, and calls the listeners when the state has changed. */
  const apply = (stored: AuthRecord, persistence: AuthStorage["persistence"]) => {
    const record = newest(stored, session.record);
    if (record.n !== session.record.n) {
      session.trouble = null;
      session.retryAt = -Infinity;
    }
    session.record = record;
    const { sid: sessionId, sub: subject, at, life, out = null } = record;
    const { trouble } = session;
    const state: AuthState = life
      ? { status: "in", sessionId, subject, expiresAt: at + life, persistence, trouble }
      : { status: "out", cause: out };
    if (JSON.stringify(state) !== JSON.stringify(session.state)) {
      session.state = state;
      // The error of a listener reaches the page, and no other listener.
      for (const listener of session.listeners) void session.ready.then(() => listener());
    }
    return record;
  };

  return async (change = () => undefined) => {
    const now = clock.monotonic();
    let next: AuthRecord | undefined;
    const decide = (found: AuthRecord | null) => {
      if (!found && wasStored && session.record.life) {
        // The user or the browser deleted the session. The page keeps it, and does not store it again.
        retryAt = Infinity;
        throw new Error("deleted");
      }
      const stored = found ?? noRecord;
      const known = newest(stored, session.record);
      next = change(known);
      return next ?? (known === stored ? undefined : known);
    };
    if (storage && now >= retryAt) {
      try {
        const record = await within(clock, STORAGE_WAIT_MS, storage.update(decide));
        wasStored ||= Boolean(record);
        if (next) session.postMessage();
        return apply(record ?? noRecord, storage.persistence);
      } catch {
        retryAt = Math.max(retryAt, now + PAUSE_MS);
      }
    }
    next = change(session.record);
    if (storage && next) session.postMessage(next);
    return apply(next ?? session.record, "memory");
  };
};
