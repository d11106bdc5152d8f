import type { IncomingMessage, ServerResponse } from "node:http";
import type { RequestView } from "../../core/request-token.ts";
import type { ValidVerdict } from "../../core/verdict.ts";
import type { Guard } from "../../guard/types.ts";
import { degradedHeader, type PassResponse, type RefusalResponse } from "./bearer-response.ts";
import { withClientSignal, type ClientEvents } from "./client-signal.ts";
import type { OptionalRules, RequestRules } from "./token-from.ts";
import { createRequestDecider, type MaybePromise, type RequestOutcome } from "./decide-request.ts";

/** The part of a Node request that the decision reads. */
export type RequestHeaders = Pick<IncomingMessage, "rawHeaders" | "headers"> & {
  readonly method?: string | undefined;
};

/** Returns the method of the request that is decided on. */
type MethodOf<R> = (req: R) => string | undefined;

/** The part of a Node response that tells whether the client is still there. HTTP/2 responses have it too. */
export interface PendingResponse extends ClientEvents<"close"> {
  readonly closed: boolean;
}

/**
 * Decides on a Node request, at once when the guard remembers its token. `methodOf` is called only when a cookie may
 * count. A client that goes away aborts its own call of the guard, and no other.
 */
export function createDecideNodeRequest<C, R extends RequestHeaders = RequestHeaders>(
  guard: Pick<Guard<C>, "authorize">,
  rules: RequestRules | OptionalRules,
  methodOf: MethodOf<R> = ({ method }) => method,
): (req: R, res: PendingResponse) => MaybePromise<RequestOutcome<C>> {
  const { canRecall, recall, decide } = createRequestDecider(guard, rules);
  return (req, res): MaybePromise<RequestOutcome<C>> => {
    const authorization = canRecall && !res.closed ? onlyAuthorization(req.rawHeaders) : null;
    const recalled = authorization === null ? null : recall(authorization);
    return (
      recalled ??
      withClientSignal(
        res,
        ["close"],
        res.closed,
        async (signal) => await decide(viewOfNodeRequest(req, methodOf), signal),
      )
    );
  };
}

/** The value of `Authorization`. `null` when it is missing, or when there are two. */
function onlyAuthorization(rawHeaders: readonly string[]): string | null {
  let found: string | null = null;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    if (name.length !== AUTHORIZATION.length || name.toLowerCase() !== AUTHORIZATION) continue;
    if (found !== null) return null;
    found = rawHeaders[i + 1] ?? null;
  }
  return found;
}

const AUTHORIZATION = "authorization";

/** The verdict of a request that passes. `null` when it was refused, and `undefined` when it passes without a token. */
type PassedVerdict<C> = ValidVerdict<C> | null | undefined;

/** Decides on a Node request, and sends the response to a refused one. */
export function createAuthorizeNodeRequest<C>(
  guard: Pick<Guard<C>, "authorize">,
  rules: RequestRules | OptionalRules,
  methodOf?: MethodOf<IncomingMessage>,
): (req: IncomingMessage, res: ServerResponse) => MaybePromise<PassedVerdict<C>> {
  const decide = createDecideNodeRequest<C, IncomingMessage>(guard, rules, methodOf);
  const finish = (res: ServerResponse, { auth, response }: RequestOutcome<C>) => {
    if (response.status !== 200) {
      sendRefusal(res, response);
      return null;
    }
    setHeaders(res, response);
    return auth ?? undefined;
  };
  return (req, res): MaybePromise<PassedVerdict<C>> => {
    const outcome = decide(req, res);
    return outcome instanceof Promise ? outcome.then((late) => finish(res, late)) : finish(res, outcome);
  };
}

/** Sets the headers of a response. When two guards protect a route, the last decision is the one that is declared. */
export function setHeaders(res: ServerResponse, { headers }: PassResponse | RefusalResponse): void {
  res.removeHeader(degradedHeader);
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
}

/** Sends the response to a refused request. */
export function sendRefusal(res: ServerResponse, refusal: RefusalResponse): void {
  const text = JSON.stringify(refusal.body);
  setHeaders(res, refusal);
  res.writeHead(refusal.status, { "Content-Length": Buffer.byteLength(text) }).end(text);
}

/** Returns a view that reads a header only when it is asked for, because a request without cookies needs one. */
export function viewOfNodeRequest<R extends RequestHeaders>(
  req: R,
  methodOf: MethodOf<R> = ({ method }) => method,
): RequestView {
  return {
    get method() {
      return methodOf(req) ?? "";
    },
    lines: (name) => headerLines(req, name),
  };
}

/**
 * Returns every line of a header. `headers` would silently keep the first of two lines of some headers, and
 * `headersDistinct` costs 2 µs a request.
 */
function headerLines({ rawHeaders, headers }: RequestHeaders, name: string): string[] {
  // A request that a serverless platform made may have only `headers`.
  if (rawHeaders.length === 0) return [headers[name] ?? []].flat();
  return rawHeaders.filter((_, i) => i % 2 === 1 && rawHeaders[i - 1]?.toLowerCase() === name);
}
