import { HoldfastError } from "../core/errors.ts";
import { REFRESH_TOKEN_PREFIX } from "../core/refresh-token-prefix.ts";
import type { SessionDigest } from "../server/session-digest.ts";
import type { Service } from "../server/service.ts";

const PAGE = 1_000;
/** A longer text may be a token, which must not be printed. */
const MAX_SHOWN_CHARS = 128;

/**
 * Returns the id of a session of the store. `name` is the id, or the `holdfast.session` of a log line. A digest is found by
 * the audit events of its session. `null` when the store has no such session.
 */
async function findSessionId(
  { store }: Pick<Service, "store">,
  digest: SessionDigest,
  name: string,
): Promise<string | null> {
  if ((await store.sessions.get(name)) !== null) return name;
  for (let before: string | null = null; ;) {
    const { events, next } = await store.audit.page(PAGE, before);
    const session = events.find((event) => event.session !== null && digest(event.session) === name)?.session;
    // The session of an event may be removed from the store by now.
    if (session) return (await store.sessions.get(session)) === null ? null : session;
    if (next === null) return null;
    before = next;
  }
}

/** Returns the id of the session to end. Throws for a session that the store does not know, unless `isForced`. */
export async function findSessionToEnd(
  service: Pick<Service, "store">,
  digest: SessionDigest,
  name: string,
  isForced: boolean,
): Promise<string> {
  const id = await findSessionId(service, digest, name);
  if (id === null && !isForced) throw unknownId("session", name, "ended");
  return id ?? name;
}

/** The error for an id that the store does not know. `done` says what did not happen, for example `ended`. */
export function unknownId(what: string, id: string, done: string): HoldfastError {
  const isShown = id.length <= MAX_SHOWN_CHARS && !id.startsWith(REFRESH_TOKEN_PREFIX);
  const name = isShown ? `${what} ${id}` : `${what} of this name, which is no ${what} id`;
  const force = `--force revokes the id of a ${what} that this store has lost`;
  return new HoldfastError("invalid_option", `there is no ${name}: nothing was ${done}; ${force}`);
}
