import type { PlainRequest, PlainResponse } from "../../core/plain-http.ts";
import type { IssuerContext } from "../context.ts";
import type { RequestInfo } from "../types.ts";

export interface EndpointCall {
  readonly request: PlainRequest;
  readonly requestInfo: RequestInfo;
  /** Parameters of the path, such as `id` of `/auth/sessions/:id`. */
  readonly params: Readonly<Record<string, string>>;
}

/** Answers one method of one path. Rejects with `asException(response)`, or with the failure of a part. */
export type Endpoint = (ctx: IssuerContext, call: EndpointCall) => Promise<PlainResponse> | PlainResponse;
