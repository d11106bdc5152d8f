import { HoldfastError } from "../core/errors.ts";
import { REFRESH_TOKEN_PREFIX } from "../core/refresh-token-prefix.ts";
import {
  findSessionByDigest,
  giveUpIfLost,
  lookUpSession,
  type NamedSessions,
} from "../server/find-session.ts";
import type { Service } from "../server/service.ts";
import { ACTOR } from "./user-rights.ts";

/** A longer text may be a token, which must not be printed. */
const MAX_SHOWN_CHARS = 128;

/** Returns the id of a session of the store. `name` is the id, or the `holdfast.session` of a log line. */
async function findSessionId(service: NamedSessions, name: string): Promise<string | null> {
  if ((await lookUpSession(service, name)) !== "absent") return name;
  const id = await findSessionByDigest(service, name, Infinity);
  // The session of an event may be removed from the store by now.
  return id === null || (await lookUpSession(service, id)) === "absent" ? null : id;
}

/**
 * Returns the id of the session to end. Throws for a session that the store does not know, unless `isForced`. A note says
 * when the record is damaged.
 */
export async function findSessionToEnd(
  service: NamedSessions,
  name: string,
  isForced: boolean,
): Promise<string> {
  const id = await findSessionId(service, name);
  if (id === null && !isForced) throw unknownId("session", name, "ended");
  if (id !== null && (await lookUpSession(service, id)) === "damaged") {
    console.error(`note: the record of session ${id} is damaged; the session ends all the same`);
  }
  return id ?? name;
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
  const isShown = id.length <= MAX_SHOWN_CHARS && !id.startsWith(REFRESH_TOKEN_PREFIX);
  const name = isShown ? `${what} ${id}` : `${what} of this name, which is no ${what} id`;
  const force = `--force revokes the id of a ${what} that this store has lost`;
  return new HoldfastError("invalid_option", `there is no ${name}: nothing was ${done}; ${force}`);
}
