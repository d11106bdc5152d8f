import { Hono } from "hono";
import { HTTPException } from "hono/http-exception";
import { isHoldfastError } from "../../core/errors.ts";
import type { IssuerContext } from "../context.ts";
import type { Issuer, RequestInfo } from "../types.ts";
import { createCorsPolicy, withCors } from "./cors.ts";
import { withCookieMode } from "./cookie-mode.ts";
import { endAnySessionEndpoint, endAnySessionsEndpoint, listAnySessionsEndpoint } from "./admin-sessions.ts";
import type { Endpoint } from "./endpoint.ts";
import { introspectEndpoint, validateEndpoint } from "./introspection.ts";
import { jwksEndpoint, metadataEndpoint } from "./metadata.ts";
import { revokeEndpoint, tokenEndpoint } from "./oauth.ts";
import { oauthError, temporarilyUnavailable } from "./respond.ts";
import { revocationsEndpoint } from "./revocations.ts";
import { endSessionEndpoint, listSessionsEndpoint, logoutAllEndpoint, logoutEndpoint } from "./sessions.ts";
import { acknowledgeEndpoint, loginEndpoint, passwordEndpoint, refreshEndpoint } from "./tokens.ts";
import {
  addUserEndpoint,
  changeUserEndpoint,
  getUserEndpoint,
  listUsersEndpoint,
  removeUserEndpoint,
} from "./users.ts";

type Method = "GET" | "POST" | "PATCH" | "DELETE";

const METADATA_PATH = "/.well-known/oauth-authorization-server";

const endpoints: Readonly<Record<string, Partial<Record<Method, Endpoint>>>> = {
  "/auth/login": { POST: loginEndpoint },
  "/auth/refresh": { POST: refreshEndpoint },
  "/auth/refresh/ack": { POST: acknowledgeEndpoint },
  "/auth/logout": { POST: logoutEndpoint },
  "/auth/logout-all": { POST: logoutAllEndpoint },
  "/auth/password": { POST: passwordEndpoint },
  "/auth/sessions": { GET: listSessionsEndpoint },
  "/auth/sessions/:id": { DELETE: endSessionEndpoint },
  "/admin/sessions": { GET: listAnySessionsEndpoint, DELETE: endAnySessionsEndpoint },
  "/admin/sessions/:id": { DELETE: endAnySessionEndpoint },
  "/admin/users": { GET: listUsersEndpoint, POST: addUserEndpoint },
  "/admin/users/:name": { GET: getUserEndpoint, PATCH: changeUserEndpoint, DELETE: removeUserEndpoint },
  "/auth/validate": { POST: validateEndpoint },
  "/auth/revocations": { GET: revocationsEndpoint },
  "/oauth/token": { POST: tokenEndpoint },
  "/oauth/introspect": { POST: introspectEndpoint },
  "/oauth/revoke": { POST: revokeEndpoint },
  "/.well-known/jwks.json": { GET: jwksEndpoint },
  [METADATA_PATH]: { GET: metadataEndpoint },
};

/** Returns the paths that the issuer serves, each with its methods. */
function pathsOf({ config }: IssuerContext): [path: string, methods: (typeof endpoints)[string]][] {
  // RFC 8414 §3.1 puts the well-known part before the path of the issuer. A proxy strips that path from other requests.
  const metadataPathOfIssuer = METADATA_PATH + new URL(config.url).pathname.replace(/\/$/, "");
  const paths = Object.entries({ ...endpoints, [metadataPathOfIssuer]: { GET: metadataEndpoint } });
  // With `authenticate`, users and their passwords belong to the application, so the issuer cannot change them.
  const needsUsers = (path: string) => path === "/auth/password" || path.startsWith("/admin/users");
  return paths.filter(([path]) => config.authenticate === undefined || !needsUsers(path));
}

/** The paths that `createFetchHandler` serves. A segment such as `:id` stands for any text. */
export function servedPaths(ctx: IssuerContext): readonly string[] {
  return pathsOf(ctx).map(([path]) => path);
}

/** Serves the HTTP contract. The handler answers every request, never rejects and reveals no internal error. */
export function createFetchHandler(ctx: IssuerContext, ready: () => Promise<void>): Issuer["fetch"] {
  const app = new Hono<{ Bindings: RequestInfo }>();
  for (const [path, methods] of pathsOf(ctx)) {
    for (const [method, onTokens] of Object.entries(methods)) {
      const endpoint = withCookieMode(path, onTokens);
      app.on(method, path, async (c) => {
        await ready();
        return await endpoint(ctx, { request: c.req.raw, requestInfo: c.env, params: c.req.param() });
      });
    }
    const Allow = Object.keys(methods).join(", ").replace("GET", "GET, HEAD");
    app.all(path, () => oauthError(405, "invalid_request", "This method is not allowed here.", { Allow }));
  }
  app.notFound(() => oauthError(404, "not_found", "There is nothing here."));
  app.onError((error, c) => {
    if (error instanceof HTTPException && error.res !== undefined) return error.res;
    if (isHoldfastError(error)) return temporarilyUnavailable(error.retryAfterMs);
    if (c.env.signal?.aborted === true) return temporarilyUnavailable(0);
    ctx.emit("unexpected_error", `${c.req.method} ${c.req.routePath}: ${error.name}`);
    return oauthError(500, "server_error", "Something went wrong.");
  });
  return withCors(
    createCorsPolicy(ctx.config.corsOrigins, ctx.config.cookies?.origins),
    async (request, requestInfo: RequestInfo = {}) => {
      const device = requestInfo.device ?? request.headers.get("User-Agent") ?? undefined;
      const signal = requestInfo.signal ?? request.signal;
      try {
        return await app.fetch(request, { source: requestInfo.source, device, signal });
      } catch {
        // Hono rethrows only values that are not an `Error`. Such a value comes from a caller's signal: the caller has gone.
        return temporarilyUnavailable(0);
      }
    },
  );
}
