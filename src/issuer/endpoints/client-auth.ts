import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import {
  bearerChallenge,
  isBearerScheme,
  readBearer,
  refuseBearer,
  type PresentedToken,
  type UnusableToken,
} from "../../core/bearer.ts";
import { FIRST_PARTY_CLIENT_ID } from "../config.ts";
import type { IssuerContext } from "../context.ts";
import type { AuthenticSession } from "../store/session-record.ts";
import type { Client } from "../types.ts";
import type { FormParameters } from "./body.ts";
import { oauthError, asException } from "./respond.ts";

const REALM = "auth";

/** The session of the request's bearer token. Throws the refusal of RFC 6750 §3. */
export async function requireSession(ctx: IssuerContext, request: Request): Promise<AuthenticSession> {
  const presented = readBearerToken(request);
  if (presented.status !== "token") throw bearerException(presented.status);
  const access = await ctx.accessTokens.check(presented.token);
  if (access.status === "invalid") throw bearerException("invalid");
  if (access.session !== null) return access.session;
  const header = { "WWW-Authenticate": bearerChallenge(REALM, "insufficient_scope") };
  throw asException(oauthError(403, "insufficient_scope", "A service's own token has no session.", header));
}

/** Whether the first credentials of the request are bearer credentials, well-formed or not. */
export function hasBearerToken(request: Request): boolean {
  return isBearerScheme(authorizationHeader(request));
}

/** The `Headers` of a request join several fields with a comma. */
function readBearerToken(request: Request): PresentedToken {
  return readBearer([authorizationHeader(request)]);
}

function bearerException(why: UnusableToken["status"] | "invalid"): Error {
  const { status, error, description, challenge } = refuseBearer(REALM, why);
  return asException(oauthError(status, error, description, { "WWW-Authenticate": challenge }));
}

/**
 * Authenticates a service by HTTP Basic (RFC 7617). RFC 6749 §2.3.1 has id and secret form-encoded, but many clients
 * send them unencoded, so both forms are accepted. Throws 401 `invalid_client`.
 */
export function requireClient(ctx: IssuerContext, request: Request): Required<Client> {
  const encoded = /^basic +([\w\-+/]+=*)$/i.exec(authorizationHeader(request))?.[1] ?? "";
  const [, id = "", secret = ""] = /^([^:]*):([^]*)$/.exec(Buffer.from(encoded, "base64").toString()) ?? [];
  return findClient(ctx, [id, secret], [formDecode(id), formDecode(secret)]);
}

/**
 * Authenticates the client of an OAuth endpoint. `null` is the public client, which has no secret. A request must use
 * one way to authenticate (RFC 6749 §2.3).
 */
export function authenticateClient(
  ctx: IssuerContext,
  request: Request,
  form: FormParameters,
): Required<Client> | null {
  const id = form.get("client_id");
  const secret = form.get("client_secret");
  if (request.headers.has("Authorization")) {
    const client = secret === undefined ? requireClient(ctx, request) : null;
    if (client !== null && (id ?? client.id) === client.id) return client;
    throw asException(oauthError(400, "invalid_request", "Use exactly one way of client authentication."));
  }
  if (secret !== undefined) return findClient(ctx, [id ?? "", secret]);
  if ((id ?? FIRST_PARTY_CLIENT_ID) === FIRST_PARTY_CLIENT_ID) return null;
  throw invalidClient();
}

export function invalidClient(): Error {
  const header = { "WWW-Authenticate": 'Basic realm="auth"' };
  return asException(oauthError(401, "invalid_client", "Client authentication failed.", header));
}

type ClientCredentials = readonly [id: string, secret: string];

/** Compares secrets in constant time. Their digests have equal length, which `timingSafeEqual` requires. */
function findClient({ config }: IssuerContext, ...variants: readonly ClientCredentials[]): Required<Client> {
  const key = randomBytes(32);
  const digest = (text: string) => createHmac("sha256", key).update(text).digest();
  const found = config.clients.find((client) =>
    variants.some(
      ([id, secret]) => id === client.id && timingSafeEqual(digest(secret), digest(client.secret)),
    ),
  );
  if (found === undefined) throw invalidClient();
  return found;
}

/** Decodes application/x-www-form-urlencoded. Unlike `decodeURIComponent` it never throws. */
function formDecode(text: string): string {
  return new URLSearchParams(`=${text.replaceAll("&", "%26")}`).get("") ?? "";
}

function authorizationHeader(request: Request): string {
  return request.headers.get("Authorization") ?? "";
}
