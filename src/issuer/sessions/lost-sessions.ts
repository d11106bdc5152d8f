import { longestSessionMs } from "../config.ts";
import { ownTurn } from "../../resilience/turns.ts";
import type { IssuerContext } from "../context.ts";
import { giveUpSession, isGivenUp } from "../store/given-up-sessions.ts";
import { readToEnd } from "../store/session-record.ts";
import type { EndOptions } from "./session-types.ts";
import { endSession } from "./sessions.ts";

const PAGE = 1_000;
const MAX_PAGES = 200;

/**
 * Gives up the sessions of the subject that a refresh has found missing. Their refresh tokens are then invalid and not
 * unavailable. A refresh token does not name its user, so the newest 200,000 audit events tell which sessions the user
 * had. Returns how many were given up.
 */
export async function giveUpLostSessions(
  ctx: IssuerContext,
  subject: string,
  options?: EndOptions,
): Promise<number> {
  let given = 0;
  for (const id of await lostSessions(ctx, subject)) {
    await ownTurn(ctx.clock);
    const isLost = (await readToEnd(ctx.store.sessions, id)) === null;
    if (!isLost || (await isGivenUp(ctx.store, id))) continue;
    await endSession(ctx, id, "revoked", { ...options, subject });
    await giveUpSession(ctx.store, id);
    given++;
  }
  return given;
}

/** The sessions of the subject for which a refresh found no record, by the audit. A refresh of an expired one tells nothing. */
async function lostSessions(
  { store, clock, config }: IssuerContext,
  subject: string,
): Promise<readonly string[]> {
  const oldest = clock.now() - longestSessionMs(config);
  const lost = new Set<string>();
  const own = new Set<string>();
  let before: string | null = null;
  for (let pages = 0; pages < MAX_PAGES; pages++) {
    const { events, next } = await store.audit.page(PAGE, before);
    for (const { kind, session, ...event } of events) {
      if (session === null) continue;
      if (kind === "store_rolled_back") lost.add(session);
      if (event.subject === subject) own.add(session);
    }
    // A page of SQLite is read without an await that frees the event loop.
    await ownTurn(clock);
    if (next === null || (events.at(-1)?.at ?? 0) < oldest) break;
    before = next;
  }
  return [...lost].filter((id) => own.has(id));
}
