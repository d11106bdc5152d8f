import { Unavailable } from "./errors.ts";
import type { Answer } from "./service.ts";
import type { Session } from "./session.ts";
import type { SessionInfo } from "./types.ts";

/** Lists the sessions of the user, over all pages of the answer. */
export async function listSessions(session: Session): Promise<SessionInfo[]> {
  const found: SessionInfo[] = [];
  let query = "";
  for (;;) {
    const { status, body, cause, retryAfterMs } = await ask(session, "GET", `/auth/sessions${query}`);
    const { sessions, next } = body ?? {};
    if (status !== 200 || !Array.isArray(sessions)) throw new Unavailable(cause, retryAfterMs);
    found.push(...(sessions as SessionInfo[]));
    if (typeof next !== "string") return found;
    query = `?after=${encodeURIComponent(next)}`;
  }
}

/** Ends a session of the user. A session that is not there has ended. */
export async function endOtherSession(session: Session, sessionId: string): Promise<void> {
  const path = `/auth/sessions/${encodeURIComponent(sessionId)}`;
  const { status, body, cause, retryAfterMs } = await ask(session, "DELETE", path);
  const isMissing = status === 404 && body?.["error"] === "not_found";
  if (status !== 204 && !isMissing) throw new Unavailable(cause, retryAfterMs);
}

/** Sends a request with the access token. A token that is rejected is replaced once. */
async function ask(session: Session, method: string, path: string): Promise<Answer> {
  const record = await session.accessToken();
  const answer = await session.parts.service.ask(path, { method, bearer: record.access });
  if (answer.status !== 401) return answer;
  const { access: bearer } = await session.refresh(record);
  return await session.parts.service.ask(path, { method, bearer });
}
