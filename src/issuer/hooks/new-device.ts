import type { IssuerContext } from "../context.ts";
import { listLiveSessions } from "../sessions/sessions.ts";
import type { AuthenticSession } from "../store/session-record.ts";
import type { SessionEvent } from "./session-event.ts";

/** A login that has begun a session. */
export interface LoginFacts {
  readonly subject: string;
  readonly session: string;
  readonly source: string | undefined;
}

/** Only so many of the newest sessions are compared, because a bound of sessions may be new. */
const COMPARED_SESSIONS = 200;

/**
 * Tells the application about a login from a new device. The device is new when no older live session of the user has
 * the same description, versions left out. An update of a browser does not make a new device.
 */
export function reportNewDevice(ctx: IssuerContext, { subject, session: id, source }: LoginFacts): void {
  const at = ctx.clock.now();
  ctx.hook.notifyLater(async (): Promise<SessionEvent | null> => {
    const { sessions } = await listLiveSessions(ctx, subject, { limit: COMPARED_SESSIONS });
    const own = sessions.find((session) => session.id === id);
    // The session ended before it was looked at. Its end is an event of its own.
    if (own === undefined) return null;
    // Of two logins at the same time, only the first can be from a new device.
    const others = sessions.filter((session) => isOlder(session, own));
    const { device } = own.content;
    const isKnown = others.some(({ content }) => withoutVersions(content.device) === withoutVersions(device));
    if (isKnown) return null;
    return {
      type: "new_device",
      at,
      subject,
      session: id,
      source: source ?? null,
      device,
      otherSessions: others.length,
    };
  });
}

function isOlder(session: AuthenticSession, own: AuthenticSession): boolean {
  return session.authAt < own.authAt || (session.authAt === own.authAt && session.id < own.id);
}

function withoutVersions(device: string | null): string | null {
  return device === null ? null : device.replaceAll(/\d+(?:[._]\d+)*/g, "");
}
