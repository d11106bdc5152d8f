import { isLive, sessionExpiresAt } from "../../core/session.ts";
import { invalidOption, readWholeNumber } from "../../core/options.ts";
import type { IssuerContext } from "../context.ts";
import type { IssuerLifecycle } from "../lifecycle.ts";
import { findSession, findToEnd, type AuthenticSession } from "../store/session-record.ts";
import { giveUpLostSessions } from "./lost-sessions.ts";
import { checkRevocationId } from "./revoke.ts";
import { formatPosition, MAX_LISTED_SESSIONS, parsePosition } from "./session-position.ts";
import type { EndOptions, Sessions, SessionView } from "./session-types.ts";
import { endSession, endSubject, listLiveSessions } from "./sessions.ts";

/** The methods of `issuer.sessions`. Each one opens the store first. */
export function sessionsOf(ctx: IssuerContext, afterReady: IssuerLifecycle["afterReady"]): Sessions {
  return {
    list: afterReady(async (subject, { after, limit } = {}) => {
      checkRevocationId(subject);
      const position = after === undefined ? null : parsePosition(after);
      if (after !== undefined && position === null) {
        throw invalidOption("list: after", "the next of an earlier page", after);
      }
      const bounds = { default: 100, min: 1, max: MAX_LISTED_SESSIONS };
      const page = { after: position, limit: readWholeNumber("list: limit", limit, bounds) };
      const { sessions, unreadable, next } = await listLiveSessions(ctx, subject, page);
      return { sessions: sessions.map(toSessionView), unreadable, next: next && formatPosition(next) };
    }),
    get: afterReady(async (id) => {
      checkRevocationId(id);
      const session = await findSession(ctx, id);
      return session !== null && isLive(session, ctx.clock.now()) ? toSessionView(session) : null;
    }),
    end: afterReady(async (id, options) => {
      checkRevocationId(id);
      return await endKnownSession(ctx, id, options);
    }),
    endAll: afterReady(async (subject, options) => {
      checkRevocationId(subject);
      return await endSubject(ctx, subject, "revoked", options);
    }),
    giveUpLost: afterReady(async (subject, options) => {
      checkRevocationId(subject);
      return await giveUpLostSessions(ctx, subject, options);
    }),
  };
}

/** Ends the session for an administrator. The log has the entry of a session that has ended before. */
export async function endKnownSession(
  ctx: IssuerContext,
  id: string,
  options?: EndOptions,
): Promise<"ended" | "unknown"> {
  const session = await findToEnd(ctx, id);
  if (session === null) return "unknown";
  if (session === "damaged" || session.endedAt === null) await endSession(ctx, id, "revoked", options);
  return "ended";
}

function toSessionView(session: AuthenticSession): SessionView {
  const { client, scopes, device, deviceName = null, address = null } = session.content;
  const { id, subject, authAt: startedAt, rotatedAt: lastUsedAt } = session;
  const { generation, repeatStreak } = session;
  const about = { client, scopes, device, deviceName, address };
  const expiresAt = sessionExpiresAt(session);
  return { id, subject, ...about, startedAt, lastUsedAt, expiresAt, generation, repeatStreak };
}
