import { createHash, timingSafeEqual } from "node:crypto";
import type { HttpBindings } from "@hono/node-server";
import type { Context, Hono } from "hono";
import { LISTENER_TOKEN_HEADER } from "../../dashboard/wire.ts";
import { oauthError } from "./respond.ts";
import { isDashboardFile } from "./dashboard-page.ts";
import { httpAddress } from "./listen.ts";

/** The conditions under which the admin listener answers. */
export interface AdminAccess {
  /** The port of the admin listener. */
  readonly port: number;
  /** Whether other machines can reach the listener. */
  readonly isExposed: boolean;
  /** The token that every page needs. `null` when none does, which is allowed only where the listener is not exposed. */
  readonly token: string | null;
}

const LOOPBACK_ADDRESS = /^(?:::ffff:)?127(?:\.\d+){3}$|^::1$/;

/** Whether only this machine can reach a listener on that host. */
export function isLoopbackHost(host: string): boolean {
  return host.toLowerCase() === "localhost" || LOOPBACK_ADDRESS.test(host);
}

/**
 * Refuses requests that may not use the admin listener. Actions on the guard are for commands on this machine, which
 * prove their right with an access token. Everything else needs the token of the listener, if there is one. The files of
 * the dashboard are an exception: a browser cannot send the token when it opens a page, and they contain no data.
 */
export function addAdminAccess(app: Hono, { port, isExposed, token }: AdminAccess): void {
  if (isExposed && token === null) throw new TypeError("an exposed admin listener needs a token");
  // DNS rebinding: a foreign page can make a browser send requests to this listener under a foreign name. A browser does
  // not send the token, so that the name matters only for a listener without one, and for the actions.
  const hosts = new Set(
    ["127.0.0.1", "::1", "localhost"].map((host) => new URL(httpAddress(host, port)).host),
  );
  app.use(async (c, next) => {
    c.header("Cache-Control", "no-store");
    c.header("X-Content-Type-Options", "nosniff");
    const isAction = c.req.path.startsWith("/guard/");
    const isOwnName = hosts.has(c.req.header("host")?.toLowerCase() ?? "");
    if (!isOwnName && (isAction || !isExposed)) {
      const names = `localhost:${port} or 127.0.0.1:${port}`;
      return oauthError(
        421,
        "misdirected_request",
        `The Host must be ${names}. A tunnel must keep the port.`,
      );
    }
    if (isAction && isExposed && !isLocalPeer(c.env as Partial<HttpBindings> | undefined)) {
      return oauthError(403, "forbidden", "Actions on the guard are for commands on this machine.");
    }
    const isOpen = isAction || isDashboardFile(c);
    if (!isOpen && token !== null && !hasToken(c, token)) {
      const challenge = { "WWW-Authenticate": 'Bearer realm="admin"' };
      // The page of the dashboard must not take this for a refusal of the access token that it also sends.
      const error = isDashboardData(c) ? "listener_token" : "invalid_token";
      return oauthError(401, error, "The admin listener needs its token.", challenge);
    }
    return await next();
  });
}

/** Whether the client is on this machine, and connected through its loopback interface. */
export function isLocalPeer(bindings: Partial<HttpBindings> | undefined): boolean {
  return LOOPBACK_ADDRESS.test(bindings?.incoming?.socket.remoteAddress ?? "");
}

function isDashboardData({ req: { path } }: Context): boolean {
  return path === "/events" || path.startsWith("/api/");
}

/** Whether the request has the token of the listener. The dashboard needs `Authorization` for an access token. */
function hasToken({ req }: Context, token: string): boolean {
  const bearer = /^bearer +(\S+)$/i.exec(req.header("authorization") ?? "")?.[1];
  return [bearer, req.header(LISTENER_TOKEN_HEADER)].some(
    (given) => given !== undefined && isEqual(given, token),
  );
}

function isEqual(given: string, token: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(token));
}
