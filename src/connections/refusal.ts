import type { Decision } from "../core/verdict.ts";

/** The handshake is refused because the limit of connections is reached. */
export interface Limited {
  readonly status: "limited";
  readonly retryAfterMs: number;
}

/** The reason why a token opens no connection. */
export type Refusal<C> = Limited | Exclude<Decision<C>, { status: "valid" }>;

/** Whether a newer token of the same user can remove the refusal: the token expired, or its login is too old. */
export function isReplaceable(refusal: Refusal<unknown>): boolean {
  if (refusal.status !== "invalid") return false;
  return refusal.reason === "expired" || refusal.reason === "insufficient_user_authentication";
}
