import type { PlainRequest } from "../../core/plain-http.ts";
import { hash, timingSafeEqual } from "node:crypto";
import {
  bearerChallenge,
  isBearerScheme,
  readBearer,
  refuseBearer,
  type PresentedToken,
  type UnusableToken,
} from "../../core/bearer.ts";
import type { JwtClaims } from "../../core/verdict.ts";
import { isForAudience } from "../../jwt/claim-sources.ts";
import { FIRST_PARTY_CLIENT_ID, type ClientConfig } from "../client-config.ts";
import type { IssuerContext } from "../context.ts";
import { parseToken } from "../../jwt/parse.ts";
import { findSession, type AuthenticSession } from "../store/session-record.ts";
import type { RequestInfo } from "../types.ts";
import type { FormParameters } from "./body.ts";
import type { EndpointCall } from "./endpoint.ts";
import { oauthError, asException, tooManyRequests } from "./respond.ts";

type AuthenticationCall = Pick<EndpointCall, "request" | "requestInfo">;

const REALM = "auth";

/** The session of the request's access token. A `refused` request has an exception with the answer of RFC 6750 §3. */
export type PresentedSession =
  | { readonly status: "live"; readonly session: AuthenticSession }
  /** The token is genuine and has not expired, but its session has ended. */
  | { readonly status: "ended"; readonly session: AuthenticSession; readonly exception: Error }
  | { readonly status: "refused"; readonly exception: Error };

/** Finds the session of the request's access token. */
export async function findPresentedSession(
  ctx: IssuerContext,
  request: PlainRequest,
): Promise<PresentedSession> {
  const presented = readBearerToken(request);
  if (presented.status !== "token") {
    return { status: "refused", exception: bearerException(presented.status) };
  }
  const access = await ctx.accessTokens.check(presented.token);
  if (access.status === "invalid") {
    const exception = bearerException("invalid");
    const ended = access.reason === "revoked" ? await findEndedSession(ctx, presented.token) : null;
    return ended === null ? { status: "refused", exception } : { status: "ended", session: ended, exception };
  }
  if (!isOwnToken(ctx, access.claims)) return { status: "refused", exception: bearerException("invalid") };
  if (access.session !== null) return { status: "live", session: access.session };
  const header = { "WWW-Authenticate": bearerChallenge({ realm: REALM }, "insufficient_scope") };
  const description = "A service's own token has no session.";
  const exception = asException(oauthError(403, "insufficient_scope", description, header));
  return { status: "refused", exception };
}

/** Returns the session of the request's access token. Throws the refusal of RFC 6750 §3. */
export async function requireSession(ctx: IssuerContext, request: PlainRequest): Promise<AuthenticSession> {
  const found = await findPresentedSession(ctx, request);
  if (found.status !== "live") throw found.exception;
  return found.session;
}

/** The subject of the request's bearer token, which must grant `scope`. Throws the refusal of RFC 6750 §3. */
export async function requireScope(
  ctx: IssuerContext,
  request: PlainRequest,
  scope: string,
): Promise<string> {
  const presented = readBearerToken(request);
  if (presented.status !== "token") throw bearerException(presented.status);
  const access = await ctx.accessTokens.check(presented.token);
  if (access.status === "invalid" || !isOwnToken(ctx, access.claims)) throw bearerException("invalid");
  const { scope: granted, sub } = access.claims;
  if (typeof granted === "string" && granted.split(" ").includes(scope)) return String(sub);
  const header = {
    "WWW-Authenticate": bearerChallenge({ realm: REALM, scopes: [scope] }, "insufficient_scope"),
  };
  throw asException(oauthError(403, "insufficient_scope", `The token lacks the scope ${scope}.`, header));
}

/** A token that is meant for another API only must not manage the sessions of its user (RFC 8707 §2). */
function isOwnToken({ config }: IssuerContext, claims: Readonly<JwtClaims>): boolean {
  return isForAudience(claims, config.audience[0]);
}

/** `token` was verified before its revocation was found, so its claims are authentic. */
async function findEndedSession(ctx: IssuerContext, token: string): Promise<AuthenticSession | null> {
  const parsed = parseToken(token);
  if ("reason" in parsed || parsed.claims.sid === undefined || !isOwnToken(ctx, parsed.claims)) return null;
  const session = await findSession(ctx, parsed.claims.sid);
  return session === null || session.endedAt === null ? null : session;
}

/** Whether the first credentials of the request are bearer credentials, well-formed or not. */
export function hasBearerToken(request: PlainRequest): boolean {
  return isBearerScheme(authorizationHeader(request));
}

/** The `Headers` of a request join several fields with a comma. */
function readBearerToken(request: PlainRequest): PresentedToken {
  return readBearer([authorizationHeader(request)]);
}

function bearerException(why: UnusableToken["status"] | "invalid"): Error {
  const { status, error, description, challenge } = refuseBearer({ realm: REALM }, why);
  return asException(oauthError(status, error, description, { "WWW-Authenticate": challenge }));
}

/**
 * Authenticates a service by HTTP Basic (RFC 7617). RFC 6749 §2.3.1 has id and secret form-encoded, but many clients
 * send them unencoded, so both forms are accepted. Throws 401 `invalid_client`, or 429 after many wrong secrets.
 */
export function requireClient(
  ctx: IssuerContext,
  { request, requestInfo }: AuthenticationCall,
): ClientConfig {
  const encoded = /^basic +([\w\-+/]+=*)$/i.exec(authorizationHeader(request))?.[1] ?? "";
  const [, id = "", secret = ""] = /^([^:]*):([^]*)$/.exec(Buffer.from(encoded, "base64").toString()) ?? [];
  return findClient(ctx, requestInfo, [id, secret], [formDecode(id), formDecode(secret)]);
}

/**
 * Authenticates the client of an OAuth endpoint. `null` is the public client, which has no secret. A request must use
 * one way to authenticate (RFC 6749 §2.3).
 */
export function authenticateClient(
  ctx: IssuerContext,
  call: AuthenticationCall,
  form: FormParameters,
): ClientConfig | null {
  const id = form.get("client_id");
  const secret = form.get("client_secret");
  if (presentsClientCredentials(call.request)) {
    const client = secret === undefined ? requireClient(ctx, call) : null;
    if (client !== null && (id ?? client.id) === client.id) return client;
    throw asException(oauthError(400, "invalid_request", "Use exactly one way of client authentication."));
  }
  if (secret !== undefined) return findClient(ctx, call.requestInfo, [id ?? "", secret]);
  if ((id ?? FIRST_PARTY_CLIENT_ID) === FIRST_PARTY_CLIENT_ID) return null;
  throw invalidClient();
}

/** A stale access token does not authenticate a client. An HTTP client may add it to every request. */
function presentsClientCredentials(request: PlainRequest): boolean {
  const authorization = authorizationHeader(request);
  return authorization !== "" && (!isBearerScheme(authorization) || /, *basic(?: |$)/i.test(authorization));
}

export function invalidClient(): Error {
  const header = { "WWW-Authenticate": 'Basic realm="auth"' };
  return asException(oauthError(401, "invalid_client", "Client authentication failed.", header));
}

type ClientCredentials = readonly [id: string, secret: string];

/** Compares secrets in constant time. Their digests have equal length, which `timingSafeEqual` requires. */
function findClient(
  ctx: IssuerContext,
  { source }: RequestInfo,
  ...variants: readonly ClientCredentials[]
): ClientConfig {
  const digest = (text: string) => hash("sha256", text, "buffer");
  const found = ctx.config.clients.find((client) =>
    variants.some(
      ([id, secret]) => id === client.id && timingSafeEqual(digest(secret), digest(client.secret)),
    ),
  );
  if (found !== undefined) return found;
  // A request without credentials is not an attempt.
  if (variants.every(([, secret]) => secret === "")) throw invalidClient();
  const { retryAfterMs, firstLimited } = ctx.clientAttempts.recordWrong(source);
  if (retryAfterMs === null || firstLimited) {
    const named = ctx.config.clients.find((client) => variants.some(([id]) => id === client.id));
    // Only a configured id is recorded, because the text of a stranger may be a password in the wrong place.
    const detail = `${named?.id ?? "unknown client"}${firstLimited ? ", and more from this source" : ""}`;
    void ctx.audit("client_refused", { source, detail });
  }
  throw retryAfterMs === null ? invalidClient() : asException(tooManyRequests(retryAfterMs));
}

/** Decodes application/x-www-form-urlencoded. Unlike `decodeURIComponent` it never throws. */
function formDecode(text: string): string {
  return new URLSearchParams(`=${text.replaceAll("&", "%26")}`).get("") ?? "";
}

function authorizationHeader(request: PlainRequest): string {
  return request.headers.get("Authorization") ?? "";
}
