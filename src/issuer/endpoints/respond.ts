import { oauthErrorContent } from "../../core/oauth-error.ts";
import { HTTPException } from "hono/http-exception";

/** JSON; never kept by a cache (RFC 6749 §5.1) unless the headers say otherwise. */
export function jsonResponse(status: number, body: unknown, headers: Record<string, string> = {}): Response {
  return Response.json(body, { status, headers: { "Cache-Control": "no-store", ...headers } });
}

export function noContent(): Response {
  return new Response(null, { status: 204, headers: { "Cache-Control": "no-store" } });
}

/** The error form of RFC 6749 §5.2. */
export function oauthError(
  status: number,
  error: string,
  description: string,
  headers?: Record<string, string>,
): Response {
  const content = oauthErrorContent(error, description, headers);
  return Response.json(content.body, { status, headers: content.headers });
}

/** To be thrown: ends the request with this response, wherever it was found out. */
export function asException(response: Response): HTTPException {
  return new HTTPException(undefined, { res: response });
}

/** Law 1: 503 and when to try again. Never a reason to log anybody out. */
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

function retryAfter(ms: number): Record<string, string> {
  return { "Retry-After": String(Math.max(1, Math.ceil(ms / 1000))) };
}
