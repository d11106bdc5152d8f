import type { Refusal } from "./refusal.ts";

/**
 * The code of the close frame, which tells the client what to do. After 4400 to 4499 the client may connect again. After
 * 4500 to 4599 the same token will not be accepted again.
 *
 * @example
 * ```ts
 * import { closeCodes } from "holdfast/connections";
 *
 * const socket = new WebSocket("wss://chat.example.com");
 * socket.addEventListener("close", ({ code }) => {
 *   if (code === closeCodes.token_revoked) console.log("Please log in again.");
 * });
 * ```
 */
export const closeCodes = {
  /** The token expired. The client refreshes it and connects again. */
  token_expired: 4401,
  /** The client sent no token in time. */
  token_missing: 4408,
  /** There are too many connections, tokens or waiting messages. */
  too_many: 4429,
  /** The token could not be checked, or the service goes down. */
  try_later: 4453,
  /** The token was never valid, or its authority does not know it any more. */
  invalid_token: 4501,
  /** The token lacks a scope that the endpoint requires. */
  insufficient_scope: 4502,
  /** The token, its session, its subject or its key was revoked. */
  token_revoked: 4503,
  /** The client presented a new token of another subject. */
  other_subject: 4504,
  /** The login is older than the endpoint allows (RFC 9470). The user logs in again. */
  insufficient_user_authentication: 4505,
} as const;

/** The name of a close code, sent as `error` in the reason of the close frame. */
export type CloseError = keyof typeof closeCodes;

/** Maps a refused decision to the error that the connection is closed with. */
export function toCloseError(refusal: Refusal<unknown>): CloseError {
  if (refusal.status === "limited") return "too_many";
  if (refusal.status === "forbidden") return "insufficient_scope";
  if (refusal.status === "unavailable") return "try_later";
  if (refusal.reason === "insufficient_user_authentication") return refusal.reason;
  if (refusal.reason === "revoked") return "token_revoked";
  return refusal.reason === "expired" ? "token_expired" : "invalid_token";
}

/**
 * Encodes the reason of a close frame as JSON of at most 123 bytes (RFC 6455 §5.5). `retry_after` is in seconds; it is
 * left out when `retryAfterMs` is `null`.
 */
export function encodeCloseReason(error: CloseError, retryAfterMs: number | null): string {
  return JSON.stringify({
    error,
    ...(retryAfterMs !== null && { retry_after: Math.round(retryAfterMs) / 1000 }),
  });
}
