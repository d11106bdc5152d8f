import type { Revocation, RevocationEntry } from "../../core/revocation.ts";
import { isLive } from "../../core/session.ts";
import type { SessionCap } from "../session-cap.ts";
import { MAX_EVICTED, sessionsToEvict } from "../session-eviction.ts";
import type { SessionRecord } from "../session-store.ts";
import { mapConcurrently } from "./map-concurrently.ts";
import type { SessionCommands } from "./session-commands.ts";
import type { SubjectCommands } from "./subject-commands.ts";

/** The commands on sessions and subjects, and the log. */
export interface SessionCommandParts {
  readonly commands: SessionCommands;
  readonly subjects: SubjectCommands;
  readonly appendToLog: (revocation: Revocation) => Promise<RevocationEntry>;
}

/** A session that was listed this long ago and does not exist has expired. Before that it may be about to be created. */
const CREATION_MS = 60_000;
/** Concurrent logins can choose the sessions that this one wants to end. */
const MAX_TRIES = 5;

/**
 * Ends the sessions of the subject beyond the bound, after `own` was created. Returns those that were live.
 *
 * A session and the list of its subject are in different slots, so this takes several commands. The list decides how
 * many sessions are too many, and gives each of them to one login only. A login that stops before it has ended its
 * sessions leaves them to a later one.
 */
export async function evict(
  { commands, subjects, appendToLog }: SessionCommandParts,
  own: SessionRecord,
  cap: SessionCap,
): Promise<readonly SessionRecord[]> {
  const { subject } = own;
  const evicted: SessionRecord[] = [];
  for (let tries = 1, left = MAX_EVICTED; tries <= MAX_TRIES && left > 0; tries++) {
    const { now, excess, positions } = await subjects.evictable(subject, cap.max);
    if (excess <= 0) break;
    const others = positions.filter(({ id }) => id !== own.id);
    const found = await mapConcurrently(others, async ({ id }) => await commands.findAny(id));
    const sessions = found.flatMap((one) =>
      one !== null && one !== "damaged" && one.session.subject === subject ? [one.session] : [],
    );
    const isDamaged = new Set(others.filter((_, i) => found[i] === "damaged").map(({ id }) => id));
    const gone = others.filter(
      ({ at, id }, i) => (found[i] === null || isDamaged.has(id)) && at < now - CREATION_MS,
    );
    // The list decides how many go. More names than that let a login go on when others have taken the first ones.
    const order = sessionsToEvict(sessions, sessions.length, now, sessions.length);
    const ids = [...gone, ...order].map(({ id }) => id);
    const claimed = await subjects.claim(subject, { max: cap.max, count: left }, ids);
    const ended = await Promise.all(
      claimed.map(async (id) => {
        const session = sessions.find((one) => one.id === id);
        const mayBeLive = session === undefined ? isDamaged.has(id) : isLive(session, now);
        if (!mayBeLive) return await commands.end(id, "evicted");
        const { issuer, until } = cap;
        await appendToLog({ kind: "session", id, issuer, until });
        return await commands.end(id, "evicted");
      }),
    );
    await subjects.delist(subject, claimed);
    left -= claimed.length;
    evicted.push(
      ...ended.flatMap(({ outcome, session }) => (outcome === "live" && session ? [session] : [])),
    );
  }
  return evicted;
}
