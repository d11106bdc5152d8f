import type { IncomingMessage, ServerResponse } from "node:http";
import type { Rules } from "../../core/rules.ts";
import type { ValidVerdict } from "../../core/verdict.ts";
import type { Guard } from "../../guard/types.ts";
import { degradedHeader, type PassResponse, type RefusalResponse } from "./bearer-response.ts";
import { withClientSignal, type ClientEvents } from "./client-signal.ts";
import { createDecideRequest, type RequestOutcome } from "./decide-request.ts";

/** The part of a Node request that the decision reads. */
export type RequestHeaders = Pick<IncomingMessage, "rawHeaders" | "headers">;

/** The part of a Node response that tells whether the client is still there. HTTP/2 responses have it too. */
export interface PendingResponse extends ClientEvents<"close"> {
  readonly closed: boolean;
}

/** Decides on a Node request. A client that goes away aborts its own call of the guard, and no other. */
export function createDecideNodeRequest<C>(
  guard: Pick<Guard<C>, "authorize">,
  rules: Rules,
): (req: RequestHeaders, res: PendingResponse) => Promise<RequestOutcome<C>> {
  const decide = createDecideRequest(guard, rules);
  return async (req, res) =>
    await withClientSignal(
      res,
      ["close"],
      res.closed,
      async (signal) => await decide(authorizationHeaders(req), signal),
    );
}

/** Decides on a Node request, and sends the response to a refused one. Resolves with `null` when it is refused. */
export function createAuthorizeNodeRequest<C>(
  guard: Pick<Guard<C>, "authorize">,
  rules: Rules,
): (req: IncomingMessage, res: ServerResponse) => Promise<ValidVerdict<C> | null> {
  const decide = createDecideNodeRequest(guard, rules);
  return async (req, res) => {
    const { auth, response } = await decide(req, res);
    if (auth === null) sendRefusal(res, response);
    else setHeaders(res, response);
    return auth;
  };
}

/** Sets the headers of a response. When two guards protect a route, the last decision is the one that is declared. */
export function setHeaders(res: ServerResponse, { headers }: PassResponse | RefusalResponse): void {
  res.removeHeader(degradedHeader);
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
}

function sendRefusal(res: ServerResponse, refusal: RefusalResponse): void {
  const text = JSON.stringify(refusal.body);
  setHeaders(res, refusal);
  res.writeHead(refusal.status, { "Content-Length": Buffer.byteLength(text) }).end(text);
}

/**
 * Returns every `Authorization` line. `headers.authorization` would silently keep the first of two lines, and
 * `headersDistinct` costs 2 µs a request.
 */
function authorizationHeaders({ rawHeaders, headers: { authorization } }: RequestHeaders): string[] {
  // A request that a serverless platform made may have only `headers`.
  if (rawHeaders.length === 0) return authorization === undefined ? [] : [authorization];
  return rawHeaders.filter((_, i) => i % 2 === 1 && rawHeaders[i - 1]?.toLowerCase() === "authorization");
}
