import { controlPrefix } from "../core/control-prefix.ts";
import type { Decision, ValidVerdict } from "../core/verdict.ts";
import type { Refusal } from "./refusal.ts";

/** Returns whether a text begins with the prefix of messages about the token. The application never sees such a text. */
export function isControlMessage(text: string): boolean {
  return text.startsWith(controlPrefix);
}

/** Returns the token in `{"type":"auth.token","token":"…"}`, or `null` when the text has another shape. */
export function parseTokenMessage(text: string): string | null {
  try {
    const { type, token } = JSON.parse(text) as { type?: unknown; token?: unknown };
    return type === "auth.token" && typeof token === "string" ? token : null;
  } catch {
    return null;
  }
}

/** Encodes `auth.ok`: the token is in effect from now on. */
export function encodeOk(
  { expiresAt, scopes, degraded }: Omit<ValidVerdict, "claims">,
  nowMs: number,
): string {
  return JSON.stringify({
    type: "auth.ok",
    expires_in: secondsUntil(expiresAt, nowMs),
    scope: scopes.join(" "),
    degraded: degraded?.cause ?? null,
  });
}

/** Encodes `auth.expiring`: the client should send a new token before the current one expires. */
export function encodeExpiring(expiresAt: number, nowMs: number): string {
  return JSON.stringify({ type: "auth.expiring", expires_in: secondsUntil(expiresAt, nowMs) });
}

/** Encodes `auth.refused`: the new token is refused, and the current one stays in effect. */
export function encodeRefused(error: string, retryAfterMs: number | null): string {
  const retry_after = retryAfterMs === null ? undefined : Math.round(retryAfterMs) / 1000;
  return JSON.stringify({ type: "auth.refused", error, retry_after });
}

/** The `error` of a new token that is refused for good. It reveals no more than the HTTP response would. */
export function refusedError(refusal: Refusal<unknown> | Decision<unknown>): string {
  const isTooOld = refusal.status === "invalid" && refusal.reason === "insufficient_user_authentication";
  return isTooOld ? refusal.reason : "invalid_token";
}

/** Whole seconds from now, for `expires_in`. `null` when the token never expires. */
function secondsUntil(expiresAt: number, nowMs: number): number | null {
  return expiresAt === Infinity ? null : Math.max(0, Math.floor((expiresAt - nowMs) / 1000));
}
