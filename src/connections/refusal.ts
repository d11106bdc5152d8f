import type { Decision } from "../core/verdict.ts";

/** Before the upgrade: no room for another connection. */
export interface Limited {
  readonly status: "limited";
  readonly retryAfterMs: number;
}

export type Refusal<C> = Limited | Exclude<Decision<C>, { status: "valid" }>;
