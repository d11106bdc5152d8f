import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { Access, AccessTokens } from "../access.ts";
import { problem } from "./respond.ts";

const challenge = 'Bearer realm="auth"';

/** The session behind the request's bearer token, or the response that refuses it (RFC 6750 §3). */
export async function requireBearer(
  tokens: AccessTokens,
  request: Request,
): Promise<Extract<Access, { status: "valid" }> | Response> {
  const value = request.headers.get("Authorization") ?? "";
  if (!hasBearer(request)) {
    return problem(401, "unauthorized", "A bearer token is needed.", { "WWW-Authenticate": challenge });
  }
  // RFC 6750 §2.1. Two headers arrive joined by a comma, and fail here.
  const token = /^bearer +([\w\-.~+/]+=*)$/i.exec(value)?.[1];
  if (token === undefined) {
    const header = { "WWW-Authenticate": `${challenge}, error="invalid_request"` };
    return problem(400, "invalid_request", "Send exactly one well-formed bearer token.", header);
  }
  const access = await tokens.check(token);
  if (access.status === "valid") return access;
  const header = { "WWW-Authenticate": `${challenge}, error="invalid_token"` };
  return problem(401, "invalid_token", "The token is not valid.", header);
}

export function hasBearer(request: Request): boolean {
  return /^bearer(?: |$)/i.test(request.headers.get("Authorization") ?? "");
}

type ClientCheck = (request: Request) => Response | null;

/** HTTP Basic (RFC 7617) for services; `null` when they are who they say. Compares in constant time. */
export function createClientCheck(clients: readonly { id: string; secret: string }[]): ClientCheck {
  const key = randomBytes(32);
  const digest = (text: string) => createHmac("sha256", key).update(text).digest();
  const known = clients.map(({ id, secret }) => digest(`${id}:${secret}`));
  return (request) => {
    const encoded = /^basic +([\w\-+/]+=*)$/i.exec(request.headers.get("Authorization") ?? "")?.[1] ?? "";
    const given = digest(Buffer.from(encoded, "base64").toString());
    // Every one is compared: the time tells nothing of which matched.
    const matches = known.filter((one) => timingSafeEqual(one, given));
    if (matches.length > 0) return null;
    const header = { "WWW-Authenticate": 'Basic realm="auth"' };
    return problem(401, "invalid_client", "Client authentication failed.", header);
  };
}
