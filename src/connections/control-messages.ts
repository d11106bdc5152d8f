import { controlPrefix } from "../core/control-prefix.ts";
import type { Verdict } from "../core/verdict.ts";

/** Whether a text message is for us. */
export function isControlMessage(text: string): boolean {
  return text.startsWith(controlPrefix);
}

/** The token that a client presents: `{"type":"auth.token","token":"…"}`; `null` for anything else. */
export function parseTokenMessage(text: string): string | null {
  try {
    const { type, token } = JSON.parse(text) as { type?: unknown; token?: unknown };
    return type === "auth.token" && typeof token === "string" ? token : null;
  } catch {
    return null;
  }
}

type ValidVerdict = Extract<Verdict, { status: "valid" }>;

/** The token counts from now on. Times in seconds. */
export function encodeOk({ expiresAt, scopes, degraded }: Omit<ValidVerdict, "claims">, now: number): string {
  return JSON.stringify({
    type: "auth.ok",
    expires_in: secondsUntil(expiresAt, now),
    scope: scopes.join(" "),
    degraded: degraded?.cause ?? null,
  });
}

/** The token ends soon. */
export function encodeExpiring(expiresAt: number, now: number): string {
  return JSON.stringify({ type: "auth.expiring", expires_in: secondsUntil(expiresAt, now) });
}

/** The new token changes nothing. */
export function encodeRefused(error: string, retryAfterMs: number | null): string {
  const retry_after = retryAfterMs === null ? undefined : Math.round(retryAfterMs) / 1000;
  return JSON.stringify({ type: "auth.refused", error, retry_after });
}

/** `null` for a token without an end. */
function secondsUntil(expiresAt: number, now: number): number | null {
  return expiresAt === Infinity ? null : Math.max(0, Math.floor((expiresAt - now) / 1000));
}
