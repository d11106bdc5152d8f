import { HoldfastError } from "../core/errors.ts";
import { REFRESH_TOKEN_PREFIX } from "../core/refresh-token-prefix.ts";
import {
  findSessionByDigest,
  giveUpIfLost,
  lookUpSession,
  SESSION_ID,
  type NamedSessions,
} from "../server/find-session.ts";
import type { Service } from "../server/service.ts";
import { ACTOR } from "./user-rights.ts";

/** A longer text may be a token, which must not be printed. */
const MAX_SHOWN_CHARS = 128;

/** Finds the session that `name` means: its id, or the `holdfast.session` of a log line. Its record may be gone by now. */
async function findSession(
  service: NamedSessions,
  name: string,
): Promise<{ readonly id: string; readonly state: Awaited<ReturnType<typeof lookUpSession>> }> {
  const state = await lookUpSession(service, name);
  const id = state === "absent" ? await findSessionByDigest(service, name, Infinity) : null;
  return id === null ? { id: name, state } : { id, state: await lookUpSession(service, id) };
}

/**
 * Returns the id of the session to end. Throws for a session that the store does not know, unless `isForced`, and for a
 * text without the form of a session id. A note says when the record is damaged.
 */
export async function findSessionToEnd(
  service: NamedSessions,
  name: string,
  isForced: boolean,
): Promise<string> {
  const { id, state } = await findSession(service, name);
  if (state === "absent" && !SESSION_ID.test(id)) {
    const force =
      "--force takes a session id, which has 32 hexadecimal digits: the sid of its tokens, or the session of an event of holdfast audit --json";
    throw new HoldfastError(
      "invalid_option",
      `there is no ${nameOf("session", id)}: nothing was ended; ${force}`,
    );
  }
  if (state === "absent" && !isForced) throw unknownId("session", id, "ended");
  if (state === "damaged") {
    console.error(`note: the record of session ${id} is damaged; the session ends all the same`);
  }
  return id;
}

/**
 * Revokes a session. One that the store has lost is also given up, so that its refresh is `invalid_grant`. Without that, a
 * refresh would be 503 until an operator restores the session.
 */
export async function revokeSession(
  service: NamedSessions & Pick<Service, "issuer" | "store">,
  id: string,
): Promise<void> {
  await service.issuer.revoke({ kind: "session", id }, { actor: ACTOR });
  await giveUpIfLost(service, id);
}

/** The error for an id that the store does not know. `done` says what did not happen, for example `ended`. */
export function unknownId(what: string, id: string, done: string): HoldfastError {
  const force = `--force revokes the id of a ${what} that this store has lost`;
  return new HoldfastError(
    "invalid_option",
    `there is no ${nameOf(what, id)}: nothing was ${done}; ${force}`,
  );
}

function nameOf(what: string, id: string): string {
  const isShown = id.length <= MAX_SHOWN_CHARS && !id.startsWith(REFRESH_TOKEN_PREFIX);
  return isShown ? `${what} ${id}` : `${what} of this name, which is no ${what} id`;
}

/** Ends every session of the subject, also those that the store has lost, which a note counts. Returns how many were live. */
export async function endSessionsOf({ issuer }: Pick<Service, "issuer">, subject: string): Promise<number> {
  const by = { actor: ACTOR };
  const ended = await issuer.sessions.endAll(subject, by);
  const lost = await issuer.sessions.giveUpLost(subject, by);
  if (lost > 0) {
    const which = lost === 1 ? "session that the store lacks is" : "sessions that the store lacks are";
    console.error(
      `note: ${lost} more ${which} given up; a refresh is invalid_grant from now on, and no longer 503`,
    );
  }
  return ended;
}
