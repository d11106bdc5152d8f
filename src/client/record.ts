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
  idle: 0,
  at: 0,
  out: null,
  outbox: [],
};

/**
 * The number of the next record. No other page chooses the same, so two records with one number are the same. The first
 * number is the time, so that a login of a page whose storage failed is newer than what the storage holds.
 */
export const nextN = ({ n }: AuthRecord): number => (n || Date.now()) + 1 + Math.random();

/** The newer one of two records. The end of a session is always newer than the session. */
export const newest = (stored: AuthRecord, known: AuthRecord): AuthRecord => {
  const isKnownNewer =
    stored.sid === known.sid && !stored.life !== !known.life ? stored.life : known.n > stored.n;
  return isKnownNewer ? known : stored;
};

/** The record of a session that has ended. */
export const endOf = (
  record: AuthRecord,
  out: OutCause,
  outbox: readonly PendingLogout[] = [],
): AuthRecord => ({
  ...noRecord,
  n: nextN(record),
  sid: record.sid,
  out,
  outbox: [...record.outbox, ...outbox],
});

/** Reads an answer with tokens. `false` when it is malformed. `known` is the record before a refresh. */
export const readTokens = (body: object, hasCookies: boolean, known: AuthRecord): Tokens | false => {
  const answer = body as Partial<TokenAnswer> & { expires_in: number };
  const { session_id: sid = known.sid, expires_in: seconds } = answer;
  const access = hasCookies ? "" : answer.access_token;
  const refresh = hasCookies ? undefined : answer.refresh_token;
  const sub = hasCookies ? (answer.subject ?? known.sub) : subjectOf(access);
  const isWhole =
    [sid, sub, hasCookies ? sid : refresh].every((text) => text && typeof text === "string") &&
    Number.isFinite(seconds) &&
    seconds > 0;
  const idle = Number(answer.refresh_token_expires_in) * 1000 || known.idle;
  return isWhole && ({ access, refresh, sid, sub, life: seconds * 1000, idle } as Tokens);
};

/** The subject of an access token. It is only shown, so the signature does not matter. */
const subjectOf = (token: unknown): unknown => {
  try {
    const text = atob((token as string).split(".")[1]!.replaceAll("-", "+").replaceAll("_", "/"));
    // The bytes of `text` are UTF-8, which `decodeURIComponent` reads in the form of `escape`.
    return (JSON.parse(decodeURIComponent(escape(text))) as { sub?: unknown }).sub;
  } catch {
    return null;
  }
};
