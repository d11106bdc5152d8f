import { isLive } from "../core/session.ts";
import type { SessionView } from "../issuer/sessions/session-types.ts";
import { giveUpSession } from "../issuer/store/given-up-sessions.ts";
import { readToEnd } from "../issuer/store/session-record.ts";
import type { Service } from "./service.ts";

const PAGE = 1_000;
/** The form of a digest of `createSessionDigest`. The id of a session is longer. */
const DIGEST = /^[\da-f]{16}$/;

/** The form of every id that the issuer creates. */
export const SESSION_ID: RegExp = /^[\da-f]{32}$/;

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

/** Returns `damaged` for a live session whose record cannot be read or has no valid MAC, so that it can be ended. */
export async function findLiveSession(service: Service, id: string): Promise<SessionView | "damaged" | null> {
  if ((await lookUpSession(service, id)) === "damaged") return "damaged";
  const session = await service.issuer.sessions.get(id);
  if (session !== null) return session;
  // A session that has ended stays ended. The issuer leaves out a live one only because of its MAC.
  const record = await service.store.sessions.get(id);
  return record !== null && isLive(record, service.platform.clock.now()) ? "damaged" : null;
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

/** Gives up a session that the store has lost, so that its tokens are invalid and not unavailable. */
export async function giveUpIfLost(service: NamedSessions, id: string): Promise<void> {
  if ((await lookUpSession(service, id)) === "absent") await giveUpSession(service.store, id);
}
