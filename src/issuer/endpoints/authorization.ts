import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { FIRST_PARTY } from "../config.ts";
import type { Context } from "../context.ts";
import type { ProvenSession } from "../session-record.ts";
import type { Client } from "../types.ts";
import type { Form } from "./body.ts";
import { problem, refusal } from "./respond.ts";

const challenge = 'Bearer realm="auth"';

/** The session behind the request's bearer token (RFC 6750 §3). */
export async function requireBearer(ctx: Context, request: Request): Promise<ProvenSession> {
  if (!hasBearer(request)) {
    const header = { "WWW-Authenticate": challenge };
    throw refusal(problem(401, "unauthorized", "A bearer token is needed.", header));
  }
  // RFC 6750 §2.1. Two headers arrive joined by a comma, and fail here.
  const token = /^bearer +([\w\-.~+/]+=*)$/i.exec(authorizationOf(request))?.[1];
  if (token === undefined) {
    const header = { "WWW-Authenticate": `${challenge}, error="invalid_request"` };
    throw refusal(problem(400, "invalid_request", "Send exactly one well-formed bearer token.", header));
  }
  const access = await ctx.access.check(token);
  if (access.status === "invalid") {
    const header = { "WWW-Authenticate": `${challenge}, error="invalid_token"` };
    throw refusal(problem(401, "invalid_token", "The token is not valid.", header));
  }
  if (access.session !== null) return access.session;
  const header = { "WWW-Authenticate": `${challenge}, error="insufficient_scope"` };
  throw refusal(problem(403, "insufficient_scope", "A service's own token has no session.", header));
}

export function hasBearer(request: Request): boolean {
  return /^bearer(?: |$)/i.test(authorizationOf(request));
}

/** HTTP Basic (RFC 7617), its two parts form-encoded (RFC 6749 §2.3.1) or, as many clients send them, as they are. */
export function requireClient(ctx: Context, request: Request): Required<Client> {
  const encoded = /^basic +([\w\-+/]+=*)$/i.exec(authorizationOf(request))?.[1] ?? "";
  const [, id = "", secret = ""] = /^([^:]*):([^]*)$/.exec(Buffer.from(encoded, "base64").toString()) ?? [];
  return clientOf(ctx, [id, secret], [decoded(id), decoded(secret)]);
}

/**
 * Who calls an OAuth endpoint; `null` is a public client, which shows nothing but its name. Exactly one way to
 * authenticate in one request (RFC 6749 §2.3).
 */
export function identifyClient(ctx: Context, request: Request, form: Form): Required<Client> | null {
  const id = form.get("client_id");
  const secret = form.get("client_secret");
  if (request.headers.has("Authorization")) {
    const client = secret === undefined ? requireClient(ctx, request) : null;
    if (client !== null && (id ?? client.id) === client.id) return client;
    throw refusal(problem(400, "invalid_request", "Say in exactly one way who you are."));
  }
  if (secret !== undefined) return clientOf(ctx, [id ?? "", secret]);
  if ((id ?? FIRST_PARTY) === FIRST_PARTY) return null;
  throw unknownClient();
}

export function unknownClient(): Error {
  const header = { "WWW-Authenticate": 'Basic realm="auth"' };
  return refusal(problem(401, "invalid_client", "Client authentication failed.", header));
}

type Credentials = readonly [id: string, secret: string];

/** Secrets are compared in constant time. */
function clientOf({ config }: Context, ...spellings: readonly Credentials[]): Required<Client> {
  const key = randomBytes(32);
  const digest = (text: string) => createHmac("sha256", key).update(text).digest();
  const found = config.clients.find((client) =>
    spellings.some(
      ([id, secret]) => id === client.id && timingSafeEqual(digest(secret), digest(client.secret)),
    ),
  );
  if (found === undefined) throw unknownClient();
  return found;
}

/** application/x-www-form-urlencoded: never throws, unlike `decodeURIComponent`. */
function decoded(text: string): string {
  return new URLSearchParams(`=${text.replaceAll("&", "%26")}`).get("") ?? "";
}

function authorizationOf(request: Request): string {
  return request.headers.get("Authorization") ?? "";
}
