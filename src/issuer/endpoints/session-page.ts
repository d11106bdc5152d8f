import type { PlainRequest, PlainResponse } from "../../core/plain-http.ts";
import { sessionExpiresAt } from "../../core/session.ts";
import type { SessionPosition } from "../../stores/session-store.ts";
import type { AuthenticSession } from "../store/session-record.ts";
import { formatPosition, MAX_LISTED_SESSIONS, parsePosition } from "../sessions/session-position.ts";
import { badRequest } from "./body.ts";
import { jsonResponse } from "./respond.ts";

/** Reads `limit`, a whole number from 1 to `max`. Default: 100. */
export function readLimit(query: URLSearchParams, max: number): number {
  const text = query.get("limit") ?? "100";
  // `Number` alone also reads other notations, such as 0x2, 2e0 and blanks.
  const limit = /^[0-9]+$/.test(text) ? Number(text) : NaN;
  if (limit >= 1 && limit <= max) return limit;
  throw badRequest(400, `limit: must be a whole number from 1 to ${max}`);
}

/** Reads `after` and `limit` of a list of sessions. */
export function readSessionPage({ url }: PlainRequest): { after: SessionPosition | null; limit: number } {
  const query = new URL(url).searchParams;
  const text = query.get("after");
  const after = text === null ? null : parsePosition(text);
  if (text !== null && after === null) throw badRequest(400, "after: must be the next of an earlier page");
  return { after, limit: readLimit(query, MAX_LISTED_SESSIONS) };
}

/** `next` is missing on the last page, and `unreadable` when every record can be read. */
export function sessionPageResponse(
  sessions: readonly { readonly session: AuthenticSession; readonly current?: boolean }[],
  { unreadable, next }: { readonly unreadable: readonly string[]; readonly next: SessionPosition | null },
): PlainResponse {
  return jsonResponse(200, {
    sessions: sessions.map(({ session, current }) => describeSession(session, current)),
    ...(unreadable.length > 0 && { unreadable }),
    ...(next !== null && { next: formatPosition(next) }),
  });
}

/** Times on the wire are epoch seconds. */
function describeSession(session: AuthenticSession, current: boolean | undefined): object {
  const { device, deviceName = null, address = null, scopes, client } = session.content;
  const seconds = (ms: number) => Math.floor(ms / 1000);
  return {
    session_id: session.id,
    ...(current !== undefined && { current }),
    device,
    device_name: deviceName,
    address,
    client_id: client,
    scope: scopes.join(" "),
    auth_time: seconds(session.authAt),
    last_refreshed_at: seconds(session.rotatedAt),
    expires_at: seconds(sessionExpiresAt(session)),
  };
}
