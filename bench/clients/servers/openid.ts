import { randomUUID } from "node:crypto";
import type { AuthServer, ServerOptions } from "./auth-server.ts";
import { bearerOf, bodyOf, cookieOf, jwt, SessionBook, strictReuse, type Session } from "./session-book.ts";

interface Code {
  readonly session: Session;
  readonly nonce: string | null;
  readonly clientId: string;
}

/**
 * An OpenID provider for the authorization-code flow with PKCE: for oidc-client-ts, and at the paths of Auth0 for
 * auth0-spa-js. A login page is not part of it: the user of `login_hint` logs in at once. A spent refresh token ends its
 * session, as RFC 9700 asks for and as Auth0 does by default.
 */
export function openIdServer({ url, page, clock, lifeMs, expiresIn }: ServerOptions): AuthServer {
  const issuer = `${url}/`;
  const book = new SessionBook(clock, lifeMs, strictReuse);
  const codes = new Map<string, Code>();
  /** Users who are logged in at the provider, by cookie. */
  const users = new Map<string, string>();

  function authorize(request: Request, query: URLSearchParams): Response {
    const cookie = cookieOf(request, "sso") ?? randomUUID();
    const isSilent = query.get("prompt") === "none";
    const subject = isSilent ? users.get(cookie) : (query.get("login_hint") ?? users.get(cookie) ?? "ann");
    const state = query.get("state") ?? "";
    if (subject === undefined) return answer(query, { error: "login_required", state });
    users.set(cookie, subject);
    const code = randomUUID();
    const clientId = query.get("client_id") ?? "";
    codes.set(code, { session: book.begin(subject), nonce: query.get("nonce"), clientId });
    const response = answer(query, { code, state });
    response.headers.append("Set-Cookie", `sso=${cookie}; Path=/; HttpOnly; SameSite=Lax`);
    return response;
  }

  /** Answers into the page: by `postMessage` from a frame, or by a redirect. */
  function answer(query: URLSearchParams, members: Record<string, string>): Response {
    if (query.get("response_mode") === "web_message") {
      const message = JSON.stringify({ type: "authorization_response", response: members });
      const script = `<script>parent.postMessage(${message}, ${JSON.stringify(page)})</script>`;
      return new Response(`<!doctype html>${script}`, { headers: { "Content-Type": "text/html" } });
    }
    const target = new URL(query.get("redirect_uri") ?? page);
    for (const [name, value] of Object.entries(members)) target.searchParams.set(name, value);
    return new Response(null, { status: 302, headers: { Location: target.href } });
  }

  async function token(request: Request): Promise<Response> {
    const body = await bodyOf(request);
    const code = codes.get(body["code"] ?? "");
    codes.delete(body["code"] ?? "");
    const refreshed =
      body["grant_type"] === "refresh_token" ? book.rotate(body["refresh_token"] ?? "") : null;
    const session = code?.session ?? refreshed;
    if (session === null) {
      const members = { error: "invalid_grant", error_description: "Unknown or invalid refresh token." };
      return Response.json(members, { status: 400 });
    }
    const now = Math.floor(clock.now() / 1000);
    const idToken = jwt({
      iss: issuer,
      aud: body["client_id"] ?? code?.clientId,
      sub: session.subject,
      iat: now,
      exp: now + 36_000,
      ...(code?.nonce && { nonce: code.nonce }),
    });
    return Response.json({
      access_token: book.accessToken(session, { iss: issuer }),
      refresh_token: session.current,
      id_token: idToken,
      token_type: "Bearer",
      scope: "openid profile email offline_access",
      expires_in: expiresIn ?? lifeMs / 1000,
    });
  }

  function logOut(request: Request, query: URLSearchParams): Response {
    const cookie = cookieOf(request, "sso") ?? "";
    const subject = users.get(cookie);
    users.delete(cookie);
    if (subject !== undefined) book.endAll(subject);
    const target = query.get("post_logout_redirect_uri") ?? query.get("returnTo") ?? page;
    return new Response(null, { status: 302, headers: { Location: target } });
  }

  return {
    async fetch(request) {
      const { pathname, searchParams } = new URL(request.url);
      if (pathname === "/authorize") return authorize(request, searchParams);
      if (pathname === "/oauth/token") return await token(request);
      if (pathname === "/v2/logout" || pathname === "/logout") return logOut(request, searchParams);
      if (pathname === "/oauth/revoke") {
        const session = book.ofRefreshToken((await bodyOf(request))["token"] ?? "");
        if (session !== undefined) session.isLive = false;
        return new Response(null, { status: 200 });
      }
      if (pathname !== "/.well-known/openid-configuration") return new Response(null, { status: 404 });
      return Response.json({
        issuer,
        authorization_endpoint: `${url}/authorize`,
        token_endpoint: `${url}/oauth/token`,
        revocation_endpoint: `${url}/oauth/revoke`,
        end_session_endpoint: `${url}/logout`,
        jwks_uri: `${url}/jwks`,
      });
    },
    isRefresh: ({ path, body }) =>
      (path.startsWith("/authorize?") && path.includes("prompt=none")) ||
      (path === "/oauth/token" && body.includes("refresh_token")),
    admits: (request) => book.ofAccessToken(bearerOf(request)) !== undefined,
    liveSessions: () => book.live,
    endAll: () => {
      book.endAll();
      users.clear();
    },
  };
}
