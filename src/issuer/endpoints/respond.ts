import { HTTPException } from "hono/http-exception";
import { oauthErrorContent } from "../../core/oauth-error.ts";

const noStore = { "Cache-Control": "no-store" };

/** A JSON response. No cache may keep it (RFC 6749 §5.1) unless `headers` say otherwise. */
export function jsonResponse(
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return Response.json(body, { status, headers: { ...noStore, ...headers } });
}

export function emptyResponse(status: 200 | 204, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(null, { status, headers: { ...noStore, ...headers } });
}

/** An error response in the form of RFC 6749 §5.2. */
export function oauthError(
  status: number,
  error: string,
  description: string,
  headers?: Readonly<Record<string, string>>,
): Response {
  const content = oauthErrorContent(error, description, headers);
  return Response.json(content.body, { status, headers: content.headers });
}

/** An exception that ends the request with `response`, thrown from any depth of an endpoint. */
export function asException(response: Response): HTTPException {
  return new HTTPException(undefined, { res: response });
}

/** Law 1: a failure is a 503 with the time of the next attempt. A client must not log out because of it. */
export function temporarilyUnavailable(retryAfterMs: number): Response {
  const description = "This could not be done now; try again later.";
  return oauthError(503, "temporarily_unavailable", description, retryAfter(retryAfterMs));
}

export function tooManyRequests(retryAfterMs: number): Response {
  return oauthError(
    429,
    "too_many_requests",
    "Too many attempts; try again later.",
    retryAfter(retryAfterMs),
  );
}

export function invalidGrant(): Response {
  return oauthError(400, "invalid_grant", "The refresh token is not valid.");
}

/** RFC 8707 §2. */
export function invalidTarget(): Response {
  return oauthError(400, "invalid_target", "The requested resource is not one that may be granted.");
}

/** `Retry-After` in whole seconds (RFC 9110 §10.2.3), at least one. */
function retryAfter(ms: number): Record<string, string> {
  return { "Retry-After": String(Math.max(1, Math.ceil(ms / 1000))) };
}
