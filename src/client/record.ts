import type { AuthRecord, OutCause, PendingLogout, TokenAnswer } from "./types.ts";

/** The part of a record that an answer of the service brings. */
export type Tokens = Pick<AuthRecord, "access" | "refresh" | "sid" | "sub" | "life" | "idle">;

/** The record before the first login. */
export const noRecord: AuthRecord = {
  n: 0,
  access: "",
  refresh: "",
  sid: "",
  sub: "",
  life: 0,
  idle: null,
  at: 0,
  out: null,
  outbox: [],
};

/** Whether the user is logged in. */
export function isLive({ out }: AuthRecord): boolean {
  return out === undefined;
}

/** Whether the record has not changed since `other` was read. */
export function isSame(record: AuthRecord, other: AuthRecord): boolean {
  return record.n === other.n && record.refresh === other.refresh && record.out === other.out;
}

/** The newer one of two records. The end of a session is always newer than the session. */
export function newest(stored: AuthRecord, known: AuthRecord): AuthRecord {
  if (stored.sid === known.sid && isLive(stored) !== isLive(known)) return isLive(known) ? stored : known;
  return known.n > stored.n ? known : stored;
}

/** The record of a session that has ended. */
export function endOf(
  record: AuthRecord,
  out: OutCause,
  outbox: readonly PendingLogout[] = record.outbox,
): AuthRecord {
  return { ...record, n: record.n + 1, access: "", refresh: "", out, outbox };
}

/** Reads an answer with tokens. `null` when it is malformed. `known` is the record before a refresh. */
export function readTokens(body: object, hasCookies: boolean, known: AuthRecord): Tokens | null {
  const answer = body as Partial<TokenAnswer>;
  const { access_token: token, session_id: sid = known.sid, expires_in: seconds } = answer;
  const [access, refresh] = hasCookies ? ["", ""] : [token, answer.refresh_token];
  const sub = hasCookies ? (answer.subject ?? known.sub) : subjectOf(token);
  const isWhole = [sid, sub, hasCookies ? sid : refresh].every(
    (text) => text !== "" && typeof text === "string",
  );
  if (!isWhole || !Number.isFinite(seconds) || !(Number(seconds) > 0)) return null;
  const idle = Number(answer.refresh_token_expires_in) * 1000 || known.idle;
  return { access, refresh, sid, sub, life: Number(seconds) * 1000, idle } as Tokens;
}

/** The subject of an access token. It is only shown, so the signature does not matter. */
function subjectOf(token: unknown): unknown {
  try {
    const payload = String(token).split(".")[1] ?? "";
    const text = atob(payload.replaceAll("-", "+").replaceAll("_", "/"));
    const bytes = Uint8Array.from(text, (char) => char.charCodeAt(0));
    return (JSON.parse(new TextDecoder().decode(bytes)) as { sub?: unknown }).sub;
  } catch {
    return null;
  }
}
