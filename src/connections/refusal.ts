import type { Decision } from "../core/verdict.ts";

/** The handshake is refused because the limit of connections is reached. */
export interface Limited {
  readonly status: "limited";
  readonly retryAfterMs: number;
}

/** The reason why a token opens no connection. */
export type Refusal<C> = Limited | Exclude<Decision<C>, { status: "valid" }>;
