import { Hono } from "hono";
import { isHoldfastError } from "../../core/errors.ts";
import type { IssuerContext } from "../context.ts";
import type { Issuer, RequestInfo } from "../types.ts";
import {
  addPlainAnswers,
  toPlainRequest,
  toWebResponse,
  type AnswerPlain,
  type PlainResponse,
} from "../../core/plain-http.ts";
import { corsHeaders, corsRequestOf, createCorsPolicy, withCors, type CorsPolicy } from "./cors.ts";
import { withCookieMode } from "./cookie-mode.ts";
import { endAnySessionEndpoint, endAnySessionsEndpoint, listAnySessionsEndpoint } from "./admin-sessions.ts";
import type { Endpoint, EndpointCall } from "./endpoint.ts";
import { introspectEndpoint, validateEndpoint } from "./introspection.ts";
import { jwksEndpoint, metadataEndpoint } from "./metadata.ts";
import { revokeEndpoint, tokenEndpoint } from "./oauth.ts";
import { EndpointException, oauthError, temporarilyUnavailable } from "./respond.ts";
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

/**
 * Serves the HTTP contract. The handler answers every request, never rejects and reveals no internal error. Servers on
 * `node:http` find the endpoints of fixed paths without the objects of the Fetch API. Both ways answer alike.
 */
export function createFetchHandler(ctx: IssuerContext, ready: () => Promise<void>): Issuer["fetch"] {
  const cors = createCorsPolicy(ctx.config.corsOrigins, ctx.config.cookies?.origins);
  const app = new Hono<{ Bindings: RequestInfo }>();
  const plainAnswers = new Map<string, AnswerPlain>();
  for (const [path, methods] of pathsOf(ctx)) {
    for (const [method, onTokens] of Object.entries(methods)) {
      const answer = createAnswer(ctx, ready, path, withCookieMode(path, onTokens));
      app.on(method, path, async (c) => {
        const request = toPlainRequest(c.req.raw);
        return toWebResponse(await answer({ request, requestInfo: c.env, params: c.req.param() }));
      });
      if (!path.includes(":")) plainAnswers.set(`${method} ${path}`, answerPlainly(answer, cors));
    }
    const Allow = Object.keys(methods).join(", ").replace("GET", "GET, HEAD");
    const notAllowed = () =>
      oauthError(405, "invalid_request", "This method is not allowed here.", { Allow });
    app.all(path, () => toWebResponse(notAllowed()));
  }
  app.notFound(() => toWebResponse(oauthError(404, "not_found", "There is nothing here.")));
  app.onError((error, c) => toWebResponse(failure(ctx, `${c.req.method} ${c.req.routePath}`, c.env, error)));
  const fetch = withCors(cors, async (request: Request, requestInfo: RequestInfo = {}) => {
    const device = requestInfo.device ?? request.headers.get("User-Agent") ?? undefined;
    const signal = requestInfo.signal ?? request.signal;
    return await app.fetch(request, { source: requestInfo.source, device, signal });
  });
  return addPlainAnswers(fetch, (method, path) => plainAnswers.get(`${method} ${path}`));
}

type Answer = (call: EndpointCall) => Promise<PlainResponse>;

function createAnswer(
  ctx: IssuerContext,
  ready: () => Promise<void>,
  path: string,
  endpoint: Endpoint,
): Answer {
  return async (call) => {
    try {
      await ready();
      return await endpoint(ctx, call);
    } catch (error) {
      return failure(ctx, `${call.request.method} ${path}`, call.requestInfo, error);
    }
  };
}

/** The response to a request whose endpoint throws. `route` is for the operator, and has nothing that the client wrote. */
function failure(ctx: IssuerContext, route: string, { signal }: RequestInfo, error: unknown): PlainResponse {
  if (error instanceof EndpointException) return error.response;
  if (isHoldfastError(error)) return temporarilyUnavailable(error.retryAfterMs);
  // A value that is no error comes from a caller's signal: the caller has gone.
  if (signal?.aborted === true || !(error instanceof Error)) return temporarilyUnavailable(0);
  ctx.emit("unexpected_error", `${route}: ${error.name}`);
  return oauthError(500, "server_error", "Something went wrong.");
}

/** Adds what `fetch` adds to the answer of an endpoint. */
function answerPlainly(answer: Answer, cors: CorsPolicy): AnswerPlain {
  return async (request, { source, device, signal }) => {
    const agent = device ?? request.headers.get("User-Agent") ?? undefined;
    const response = await answer({ request, requestInfo: { source, device: agent, signal }, params: {} });
    if (cors.origins.size === 0) return response;
    const { headers } = corsHeaders(cors, corsRequestOf(request));
    return { ...response, headers: { ...response.headers, ...headers } };
  };
}
