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
export function readTokens(body: object | null, hasCookies: boolean, known: AuthRecord): Tokens | null {
  const answer = (body ?? {}) as Partial<TokenAnswer>;
  const [access, refresh] = hasCookies ? ["", ""] : [answer.access_token, answer.refresh_token];
  const sid = answer.session_id ?? known.sid;
  const sub = hasCookies ? (answer.subject ?? known.sub) : subjectOf(access);
  const { expires_in: seconds, refresh_token_expires_in: idle } = answer;
  if (!isText(sid) || !isText(sub) || !isPositive(seconds)) return null;
  if (!hasCookies && !isText(refresh)) return null;
  const idleMs = isPositive(idle) ? idle * 1000 : known.idle;
  return { access: access ?? "", refresh: refresh ?? "", sid, sub, life: seconds * 1000, idle: idleMs };
}

const isText = (value: unknown): value is string => typeof value === "string" && value !== "";
const isPositive = (value: unknown): value is number => Number.isFinite(value) && (value as number) > 0;

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
