import { HTTPException } from "hono/http-exception";

/** JSON; never kept by a cache (RFC 6749 §5.1) unless the headers say otherwise. */
export function json(status: number, body: unknown, headers: Record<string, string> = {}): Response {
  return Response.json(body, { status, headers: { "Cache-Control": "no-store", ...headers } });
}

export function noContent(): Response {
  return new Response(null, { status: 204, headers: { "Cache-Control": "no-store" } });
}

/** The error form of RFC 6749 §5.2. */
export function problem(
  status: number,
  error: string,
  description: string,
  headers?: Record<string, string>,
): Response {
  return json(status, { error, error_description: description }, headers);
}

/** To be thrown: ends the request with this response, wherever it was found out. */
export function refusal(response: Response): HTTPException {
  return new HTTPException(undefined, { res: response });
}

/** Law 1: 503 and when to try again. Never a reason to log anybody out. */
export function unavailable(retryAfterMs: number): Response {
  const description = "This could not be done now; try again later.";
  return problem(503, "temporarily_unavailable", description, retryAfter(retryAfterMs));
}

export function tooMany(retryAfterMs: number): Response {
  return problem(429, "too_many_requests", "Too many attempts; try again later.", retryAfter(retryAfterMs));
}

export function invalidGrant(): Response {
  return problem(400, "invalid_grant", "The refresh token is not valid.");
}

function retryAfter(ms: number): Record<string, string> {
  return { "Retry-After": String(Math.max(1, Math.ceil(ms / 1000))) };
}
