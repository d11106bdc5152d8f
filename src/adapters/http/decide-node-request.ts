import type { Rules } from "../../core/rules.ts";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Guard } from "../../guard/types.ts";
import { degradedHeader, type PassResponse, type RefusalResponse } from "./bearer.ts";
import { createDecideRequest, type RequestOutcome } from "./decide-request.ts";

/** What is read of a request. */
export type RequestHeaders = Pick<IncomingMessage, "rawHeaders" | "headers">;

/** What is asked of a response before there is one; HTTP/2's has it too. */
export interface PendingResponse {
  readonly closed: boolean;
  once(event: "close", listener: () => void): unknown;
  off(event: "close", listener: () => void): unknown;
}

/** Decides about a request of Node's. A client that goes away ends the question for this caller only. */
export function createDecideNodeRequest<C>(
  guard: Pick<Guard<C>, "authorize">,
  rules: Rules,
): (req: RequestHeaders, res: PendingResponse) => Promise<RequestOutcome<C>> {
  const decide = createDecideRequest(guard, rules);
  return async (req, res) => {
    const clientGone = new AbortController();
    const abort = () => clientGone.abort();
    if (res.closed) abort();
    res.once("close", abort);
    try {
      return await decide(authorizationHeaders(req), clientGone.signal);
    } finally {
      res.off("close", abort);
    }
  };
}

/** Sets the headers of an answer. Where a route is protected twice, the last decision is the one declared. */
export function setHeaders(res: ServerResponse, { headers }: PassResponse | RefusalResponse): void {
  res.removeHeader(degradedHeader);
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
}

/** Answers a request that is not let through. */
export function sendRefusal(res: ServerResponse, refusal: RefusalResponse): void {
  const text = JSON.stringify(refusal.body);
  setHeaders(res, refusal);
  res.writeHead(refusal.status, { "Content-Length": Buffer.byteLength(text) }).end(text);
}

/** Every one: `headers.authorization` would silently keep the first of two, `headersDistinct` costs 2 µs. */
function authorizationHeaders({ rawHeaders, headers: { authorization } }: RequestHeaders): string[] {
  // A request that did not come over a socket, but from a function's platform, may have nothing but `headers`.
  if (rawHeaders.length === 0) return authorization === undefined ? [] : [authorization];
  return rawHeaders.filter((_, i) => i % 2 === 1 && rawHeaders[i - 1]?.toLowerCase() === "authorization");
}
