import { toWebResponse } from "../../core/plain-http.ts";
import * as plain from "../../issuer/endpoints/respond.ts";

/* The responses of the issuer's endpoints, for the routes of Hono. */

export function jsonResponse(...args: Parameters<typeof plain.jsonResponse>): Response {
  return toWebResponse(plain.jsonResponse(...args));
}

export function oauthError(...args: Parameters<typeof plain.oauthError>): Response {
  return toWebResponse(plain.oauthError(...args));
}

export function temporarilyUnavailable(...args: Parameters<typeof plain.temporarilyUnavailable>): Response {
  return toWebResponse(plain.temporarilyUnavailable(...args));
}
