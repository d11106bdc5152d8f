import { readToEnd } from "../issuer/store/session-record.ts";
import type { Service } from "./service.ts";

const PAGE = 1_000;
/** What `createSessionDigest` returns. The id of a session is longer. */
const DIGEST = /^[\da-f]{16}$/;

/** A service whose sessions have names in its log. */
export type NamedSessions = Pick<Service, "store" | "sessionDigest">;

/** Whether the store has the session, and can read its record. */
export async function lookUpSession(
  { store }: NamedSessions,
  id: string,
): Promise<"readable" | "damaged" | "absent"> {
  const record = await readToEnd(store.sessions, id);
  if (record === null) return "absent";
  return record === "damaged" ? record : "readable";
}

/**
 * Returns the id of the session that the log names by `digest`. The digest has no inverse, so the latest audit events are
 * compared: `maxPages` pages of a thousand. `null` when the text is no digest, or none of these events has the session.
 */
export async function findSessionByDigest(
  { store, sessionDigest }: NamedSessions,
  digest: string,
  maxPages: number,
): Promise<string | null> {
  if (!DIGEST.test(digest)) return null;
  let before: string | null = null;
  for (let pages = 0; pages < maxPages; pages++) {
    const { events, next } = await store.audit.page(PAGE, before);
    for (const { session } of events) {
      if (session !== null && sessionDigest(session) === digest) return session;
    }
    if (next === null) return null;
    before = next;
  }
  return null;
}
