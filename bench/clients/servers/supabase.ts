import type { AuthServer, ServerOptions } from "./auth-server.ts";
import { bearerOf, bodyOf, SessionBook, type ReuseRule, type Session } from "./session-book.ts";

/** The default of Supabase Auth: a spent token gets the active one for 10 s, and always when it is the active one's parent. */
const reuseOfSupabase: ReuseRule = (session, token, now) =>
  token === session.parent || now - session.rotatedAt < 10_000;

/** Supabase Auth (GoTrue): password login, refresh, user and logout. */
export function supabaseServer({ clock, lifeMs, expiresIn }: ServerOptions): AuthServer {
  const book = new SessionBook(clock, lifeMs, reuseOfSupabase);
  const userOf = ({ subject }: Session) => ({
    id: subject,
    aud: "authenticated",
    email: `${subject}@example.com`,
  });
  const tokens = (session: Session) =>
    Response.json({
      access_token: book.accessToken(session, { role: "authenticated" }),
      refresh_token: session.current,
      token_type: "bearer",
      expires_in: expiresIn ?? lifeMs / 1000,
      ...(expiresIn === undefined && { expires_at: Math.floor((clock.now() + lifeMs) / 1000) }),
      user: userOf(session),
    });
  const refused = (status: number, code: string) =>
    Response.json({ code: status, error_code: code, msg: "Invalid Refresh Token" }, { status });

  return {
    async fetch(request) {
      const { pathname, searchParams } = new URL(request.url);
      const body = await bodyOf(request);
      if (pathname === "/token" && searchParams.get("grant_type") === "password") {
        return tokens(book.begin((body["email"] ?? "").split("@")[0] ?? ""));
      }
      if (pathname === "/token") {
        const session = book.rotate(body["refresh_token"] ?? "");
        return session === null ? refused(400, "refresh_token_not_found") : tokens(session);
      }
      const session = book.ofAccessToken(bearerOf(request));
      if (session === undefined) return refused(403, "bad_jwt");
      if (pathname === "/user") return Response.json(userOf(session));
      if (pathname !== "/logout") return new Response(null, { status: 404 });
      session.isLive = false;
      return new Response(null, { status: 204 });
    },
    isRefresh: ({ path }) => path === "/token?grant_type=refresh_token",
    admits: (request) => book.ofAccessToken(bearerOf(request)) !== undefined,
    liveSessions: () => book.live,
    endAll: () => book.endAll(),
  };
}
