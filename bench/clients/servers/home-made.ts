import type { AuthServer, ServerOptions } from "./auth-server.ts";
import { bearerOf, bodyOf, SessionBook, strictReuse, type Session } from "./session-book.ts";

/** The server of the tutorials: `/login`, `/refresh` and `/logout` with JSON, and rotation as RFC 9700 asks for it. */
export function homeMadeServer({ clock, lifeMs, expiresIn }: ServerOptions): AuthServer {
  const book = new SessionBook(clock, lifeMs, strictReuse);
  const tokens = (session: Session) =>
    Response.json({
      accessToken: book.accessToken(session),
      refreshToken: session.current,
      expiresIn: expiresIn ?? lifeMs / 1000,
    });
  return {
    async fetch(request) {
      const { pathname } = new URL(request.url);
      const body = await bodyOf(request);
      if (pathname === "/login") return tokens(book.begin(body["username"] ?? ""));
      if (pathname === "/refresh") {
        const session = book.rotate(body["refreshToken"] ?? "");
        return session === null
          ? Response.json({ error: "invalid refresh token" }, { status: 401 })
          : tokens(session);
      }
      if (pathname === "/logout") {
        const session = book.ofRefreshToken(body["refreshToken"] ?? "");
        if (session !== undefined) session.isLive = false;
        return new Response(null, { status: 204 });
      }
      return new Response(null, { status: 404 });
    },
    isRefresh: ({ path }) => path === "/refresh",
    admits: (request) => book.ofAccessToken(bearerOf(request)) !== undefined,
    liveSessions: () => book.live,
    endAll: () => book.endAll(),
  };
}
