import type { Context } from "../context.ts";
import type { Origin } from "../types.ts";

export interface Call {
  readonly request: Request;
  readonly origin: Origin;
  readonly params: Readonly<Record<string, string>>;
}

/** Rejects with a `refusal`, or with what kept us from finding out. */
export type Endpoint = (ctx: Context, call: Call) => Promise<Response> | Response;
