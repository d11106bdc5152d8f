import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { Access } from "../access.ts";
import type { Context } from "../context.ts";
import { problem, refusal } from "./respond.ts";

const challenge = 'Bearer realm="auth"';

/** The session behind the request's bearer token (RFC 6750 §3). */
export async function requireBearer(
  ctx: Context,
  request: Request,
): Promise<Extract<Access, { status: "valid" }>> {
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
  if (access.status === "valid") return access;
  const header = { "WWW-Authenticate": `${challenge}, error="invalid_token"` };
  throw refusal(problem(401, "invalid_token", "The token is not valid.", header));
}

export function hasBearer(request: Request): boolean {
  return /^bearer(?: |$)/i.test(authorizationOf(request));
}

/** HTTP Basic (RFC 7617) for services. */
export function requireClient(ctx: Context, request: Request): void {
  const key = randomBytes(32);
  const digest = (text: string) => createHmac("sha256", key).update(text).digest();
  const encoded = /^basic +([\w\-+/]+=*)$/i.exec(authorizationOf(request))?.[1] ?? "";
  const given = digest(Buffer.from(encoded, "base64").toString());
  // Every one is compared, in constant time: it tells nothing of which matched.
  const matches = ctx.config.clients.filter(({ id, secret }) =>
    timingSafeEqual(digest(`${id}:${secret}`), given),
  );
  if (matches.length > 0) return;
  const header = { "WWW-Authenticate": 'Basic realm="auth"' };
  throw refusal(problem(401, "invalid_client", "Client authentication failed.", header));
}

function authorizationOf(request: Request): string {
  return request.headers.get("Authorization") ?? "";
}
