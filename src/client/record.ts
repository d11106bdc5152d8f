import type { AuthRecord, ClientClock, OutCause, PendingLogout } from "./types.ts";

/** A wall clock that went back by more than this makes a token stale. */
const CLOCK_TOLERANCE_MS = 60_000;

/** The part of a record that an answer of the service brings. */
export type Tokens = Pick<AuthRecord, "access" | "refresh" | "sid" | "sub" | "life" | "idle">;

/** The record of a user who is logged in. */
export type LiveRecord = AuthRecord & { readonly out?: never };

/** Whether the user is logged in. */
export function isLive(record: AuthRecord | null): record is LiveRecord {
  return record !== null && record.out === undefined;
}

/** Whether the record has not changed since `other` was read. */
export function isSame(record: AuthRecord | null, other: AuthRecord | null): boolean {
  return record?.n === other?.n && record?.refresh === other?.refresh && record?.out === other?.out;
}

/** The newer one of two records. The end of a session is always newer than the session. */
export function newest(stored: AuthRecord | null, known: AuthRecord | null): AuthRecord | null {
  if (stored === null || known === null) return stored ?? known;
  if (stored.sid === known.sid && isLive(stored) !== isLive(known)) return isLive(known) ? stored : known;
  return known.n > stored.n ? known : stored;
}

/** The record of a session that has ended. */
export function endOf(
  record: AuthRecord | null,
  out: OutCause,
  outbox: readonly PendingLogout[] = record?.outbox ?? [],
): AuthRecord {
  const n = (record?.n ?? 0) + 1;
  const { sid = "", sub = "" } = record ?? {};
  return { n, access: "", refresh: "", sid, sub, life: 0, idle: null, at: 0, out, outbox };
}

/** Reads an answer with tokens. `null` when it is malformed. `known` is the record before a refresh. */
export function readTokens(body: unknown, hasCookies: boolean, known: AuthRecord | null): Tokens | null {
  const {
    access_token: access = "",
    refresh_token: refresh = "",
    expires_in: seconds,
    refresh_token_expires_in: idleSeconds,
    session_id: sid = known?.sid,
    subject = known?.sub,
  } = (body ?? {}) as Record<string, unknown>;
  const hasTokens = hasCookies || (isText(access) && isText(refresh));
  const sub = hasCookies ? subject : subjectOf(String(access));
  if (!hasTokens || !isPositive(seconds) || !isText(sid) || !isText(sub)) return null;
  const life = seconds * 1000;
  const idle = isPositive(idleSeconds) ? idleSeconds * 1000 : null;
  if (hasCookies) return { access: "", refresh: "", sid, sub, life, idle };
  return { access: access as string, refresh: refresh as string, sid, sub, life, idle };
}

const isText = (value: unknown): value is string => typeof value === "string" && value !== "";
const isPositive = (value: unknown): value is number => Number.isFinite(value) && (value as number) > 0;

/** The subject of an access token. It is only shown, so the signature does not matter. */
function subjectOf(token: string): unknown {
  try {
    const payload = atob((token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/"));
    const bytes = Uint8Array.from(payload, (char) => char.charCodeAt(0));
    return (JSON.parse(new TextDecoder().decode(bytes)) as { sub?: unknown }).sub;
  } catch {
    return undefined;
  }
}

/** Tells how much life tokens have left. The expiry in a token is never compared with the clock of the device. */
export class Ages {
  readonly #clock: ClientClock;
  #seen = { n: -1, at: 0, age: 0, monotonic: 0 };

  constructor(clock: ClientClock) {
    this.#clock = clock;
  }

  /**
   * The life that the access token has left, in milliseconds. Its age is the larger of wall and monotonic elapsed time.
   * A suspended device stops the monotonic clock, and the wall clock can be set back.
   */
  left({ n, at, life }: AuthRecord): number {
    const wall = this.#clock.now() - at;
    const monotonic = this.#clock.monotonic();
    if (this.#seen.n !== n || this.#seen.at !== at) this.#seen = { n, at, age: Math.max(0, wall), monotonic };
    if (wall < -CLOCK_TOLERANCE_MS) return -Infinity;
    return life - Math.max(wall, this.#seen.age + monotonic - this.#seen.monotonic);
  }

  /** Whether a server accepts the token long enough for a request. */
  isUsable(record: AuthRecord): boolean {
    return this.left(record) > Math.min(5_000, record.life / 10);
  }
}
