import { randomBytes } from "node:crypto";
import type { BenchClock } from "../bench-clock.ts";

/** One login. A session without rotation has no refresh token. */
export interface Session {
  readonly id: string;
  readonly subject: string;
  isLive: boolean;
  /** The refresh token that is not spent. */
  current: string;
  /** When `current` was issued, in the server's time. */
  rotatedAt: number;
  /** The refresh token that `current` replaced. */
  parent: string | null;
}

/** What a spent refresh token gets: its session ends, or it gets the active token when the rule allows it. */
export type ReuseRule = (session: Session, token: string, now: number) => boolean;

/** RFC 9700 §4.14.2: a spent refresh token ends its session. */
export const strictReuse: ReuseRule = () => false;

const random = () => randomBytes(24).toString("base64url");

/** The sessions, refresh tokens and access tokens of one server. */
export class SessionBook {
  readonly #clock: BenchClock;
  readonly #lifeMs: number;
  readonly #mayReuse: ReuseRule;
  readonly #sessions = new Map<string, Session>();
  readonly #refreshTokens = new Map<string, Session>();
  readonly #accessTokens = new Map<string, { session: Session; until: number }>();

  constructor(clock: BenchClock, lifeMs: number, mayReuse: ReuseRule) {
    this.#clock = clock;
    this.#lifeMs = lifeMs;
    this.#mayReuse = mayReuse;
  }

  begin(subject: string): Session {
    const [id, current] = [random(), random()];
    const session = { id, subject, isLive: true, current, rotatedAt: this.#clock.now(), parent: null };
    this.#sessions.set(id, session);
    this.#refreshTokens.set(current, session);
    return session;
  }

  /** Spends a refresh token. `null` when it gets nothing. */
  rotate(token: string): Session | null {
    const session = this.#refreshTokens.get(token);
    if (session === undefined || !session.isLive) return null;
    if (token === session.current) {
      session.parent = token;
      session.current = random();
      session.rotatedAt = this.#clock.now();
      this.#refreshTokens.set(session.current, session);
      return session;
    }
    if (this.#mayReuse(session, token, this.#clock.now())) return session;
    session.isLive = false;
    return null;
  }

  /** Makes an access token: a JWT with the claims that clients read. Its signature is text, because no client checks it. */
  accessToken(session: Session, claims: Record<string, unknown> = {}): string {
    const now = this.#clock.now();
    const until = now + this.#lifeMs;
    const token = jwt({
      ...claims,
      sub: session.subject,
      session_id: session.id,
      jti: random(),
      iat: Math.floor(now / 1000),
      exp: Math.floor(until / 1000),
    });
    this.#accessTokens.set(token, { session, until });
    return token;
  }

  /** The session of an access token that has not expired. */
  ofAccessToken(token: string): Session | undefined {
    const known = this.#accessTokens.get(token);
    return known !== undefined && known.session.isLive && this.#clock.now() < known.until
      ? known.session
      : undefined;
  }

  find(id: string | undefined): Session | undefined {
    const session = id === undefined ? undefined : this.#sessions.get(id);
    return session?.isLive === true ? session : undefined;
  }

  /** The session of a refresh token, spent or not. */
  ofRefreshToken(token: string): Session | undefined {
    return this.#refreshTokens.get(token);
  }

  endAll(subject?: string): void {
    for (const session of this.#sessions.values()) {
      if (subject === undefined || session.subject === subject) session.isLive = false;
    }
  }

  get live(): number {
    return [...this.#sessions.values()].filter(({ isLive }) => isLive).length;
  }
}

/** A JWT whose signature is not one. */
export function jwt(claims: Record<string, unknown>): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "RS256", typ: "JWT", kid: "bench" })}.${part(claims)}.${part({ bench: true })}`;
}

/** The bearer token of a request. */
export function bearerOf(request: Request): string {
  return /^Bearer (.+)$/i.exec(request.headers.get("authorization") ?? "")?.[1] ?? "";
}

/** A cookie of a request. */
export function cookieOf(request: Request, name: string): string | undefined {
  const pairs = (request.headers.get("cookie") ?? "").split("; ");
  return pairs.find((pair) => pair.startsWith(`${name}=`))?.slice(name.length + 1);
}

/** The members of a body, whether it is JSON or a form. */
export async function bodyOf(request: Request): Promise<Record<string, string>> {
  const text = await request.text();
  if (text === "") return {};
  const isJson = text.startsWith("{");
  return isJson
    ? (JSON.parse(text) as Record<string, string>)
    : Object.fromEntries(new URLSearchParams(text));
}
