import type { AuthServer, ServerOptions } from "./auth-server.ts";
import { bodyOf, cookieOf, SessionBook, strictReuse, type Session } from "./session-book.ts";

/** Better Auth: one session cookie of seven days, without tokens in the page. The API reads the same cookie. */
export function betterAuthServer({ clock }: ServerOptions): AuthServer {
  const book = new SessionBook(clock, 0, strictReuse);
  const cookieName = "better-auth.session_token";
  const userOf = ({ subject }: Session) => ({ id: subject, name: subject, email: `${subject}@example.com` });
  const withCookie = (value: string, body: object) =>
    Response.json(body, {
      headers: { "Set-Cookie": `${cookieName}=${value}; Path=/; HttpOnly; SameSite=Lax; Max-Age=604800` },
    });
  return {
    async fetch(request) {
      const { pathname } = new URL(request.url);
      const session = book.find(cookieOf(request, cookieName));
      if (pathname === "/api/auth/sign-in/email") {
        const begun = book.begin(((await bodyOf(request))["email"] ?? "").split("@")[0] ?? "");
        return withCookie(begun.id, { redirect: false, token: begun.id, user: userOf(begun) });
      }
      if (pathname === "/api/auth/sign-out") {
        if (session !== undefined) session.isLive = false;
        return withCookie("; Max-Age=0", { success: true });
      }
      if (pathname !== "/api/auth/get-session") return new Response(null, { status: 404 });
      if (session === undefined) return Response.json(null);
      const expiresAt = new Date(session.rotatedAt + 604_800_000).toISOString();
      return Response.json({
        session: { id: session.id, userId: session.subject, expiresAt },
        user: userOf(session),
      });
    },
    isRefresh: ({ path }) => path.startsWith("/api/auth/get-session"),
    admits: (request) => book.find(cookieOf(request, cookieName)) !== undefined,
    liveSessions: () => book.live,
    endAll: () => book.endAll(),
  };
}
