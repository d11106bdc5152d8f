import { oauthErrorContent } from "../../core/oauth-error.ts";
import type { PlainResponse } from "../../core/plain-http.ts";

const json = { "Content-Type": "application/json" };
const noStore = { "Cache-Control": "no-store" };

/** A JSON response. No cache may keep it (RFC 6749 §5.1) unless `headers` say otherwise. */
export function jsonResponse(
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): PlainResponse {
  return { status, headers: { ...json, ...noStore, ...headers }, body: JSON.stringify(body) };
}

export function emptyResponse(
  status: 200 | 204,
  headers: Readonly<Record<string, string>> = {},
): PlainResponse {
  return { status, headers: { ...noStore, ...headers }, body: null };
}

/** An error response in the form of RFC 6749 §5.2. */
export function oauthError(
  status: number,
  error: string,
  description: string,
  headers?: Readonly<Record<string, string>>,
): PlainResponse {
  const content = oauthErrorContent(error, description, headers);
  return { status, headers: content.headers, body: JSON.stringify(content.body) };
}

/** Ends the request with `response`. */
export class EndpointException extends Error {
  readonly response: PlainResponse;

  constructor(response: PlainResponse) {
    super(`the response is ${response.status}`);
    this.response = response;
  }
}

/** An exception that ends the request with `response`, thrown from any depth of an endpoint. */
export function asException(response: PlainResponse): EndpointException {
  return new EndpointException(response);
}

/** Law 1: a failure is a 503 with the time of the next attempt. A client must not log out because of it. */
export function temporarilyUnavailable(retryAfterMs: number): PlainResponse {
  const description = "This could not be done now; try again later.";
  return oauthError(503, "temporarily_unavailable", description, retryAfter(retryAfterMs));
}

export function tooManyRequests(retryAfterMs: number): PlainResponse {
  return oauthError(
    429,
    "too_many_requests",
    "Too many attempts; try again later.",
    retryAfter(retryAfterMs),
  );
}

export function invalidGrant(): PlainResponse {
  return oauthError(400, "invalid_grant", "The refresh token is not valid.");
}

/** RFC 8707 §2. */
export function invalidTarget(): PlainResponse {
  return oauthError(400, "invalid_target", "The requested resource is not one that may be granted.");
}

/** `Retry-After` in whole seconds (RFC 9110 §10.2.3), at least one. */
function retryAfter(ms: number): Record<string, string> {
  return { "Retry-After": String(Math.max(1, Math.ceil(ms / 1000))) };
}
