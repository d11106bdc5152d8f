import type { Refusal } from "./refusal.ts";

/**
 * Why a connection is closed, for the client to act upon: it may come back after 4400–4499, and need not try again
 * with this token after 4500–4599.
 */
export const closeCodes = {
  /** The token expired: refresh, then come back. */
  token_expired: 4401,
  /** No token came in time. */
  token_missing: 4408,
  /** Too many connections, or too many tokens presented. */
  too_many: 4429,
  /** Nothing could be found out, or the service goes down: come back after the time given. */
  try_later: 4453,
  invalid_token: 4501,
  /** A scope that this endpoint needs is missing. */
  insufficient_scope: 4502,
  /** The token, its session, its subject or its key was revoked. */
  token_revoked: 4503,
  /** The new token is somebody else's. */
  other_subject: 4504,
} as const;

export type CloseError = keyof typeof closeCodes;

/** Why somebody goes whom a decision does not let in. */
export function toCloseError(refusal: Refusal<unknown>): CloseError {
  if (refusal.status === "limited") return "too_many";
  if (refusal.status === "forbidden") return "insufficient_scope";
  if (refusal.status === "unavailable") return "try_later";
  if (refusal.reason === "revoked") return "token_revoked";
  return refusal.reason === "expired" ? "token_expired" : "invalid_token";
}

/** The reason of a close frame, RFC 6455 §5.5: at most 123 bytes. `retry_after` in seconds, where coming back helps. */
export function encodeCloseReason(error: CloseError, retryAfterMs: number | null): string {
  return JSON.stringify({
    error,
    ...(retryAfterMs !== null && { retry_after: Math.round(retryAfterMs) / 1000 }),
  });
}
