import type { IssuerContext } from "../context.ts";
import type { RequestInfo } from "../types.ts";

export interface EndpointCall {
  readonly request: Request;
  readonly requestInfo: RequestInfo;
  readonly params: Readonly<Record<string, string>>;
}

/** Rejects with a `refusal`, or with what kept us from finding out. */
export type Endpoint = (ctx: IssuerContext, call: EndpointCall) => Promise<Response> | Response;
