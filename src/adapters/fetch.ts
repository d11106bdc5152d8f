import type { JwtClaims, ValidVerdict } from "../core/verdict.ts";
import type { Guard } from "../guard/types.ts";
import { createDecideWebRequest, type RequestOutcome } from "./http/decide-request.ts";
import type { OptionalRules, RequestRules } from "./http/token-from.ts";

export type { ChallengeOptions, OptionalRules, RequestRules, RequestTokenFrom } from "./http/token-from.ts";
export type { ValidVerdict } from "../core/verdict.ts";

/** The result of `authenticate`. */
export type Authentication<C = JwtClaims> =
  /** The request passes. The response of the application should have `headers`: they declare a decision without the authority. */
  | {
      readonly auth: ValidVerdict<C>;
      readonly response: null;
      readonly headers: Readonly<Record<string, string>>;
    }
  /** The request is refused. The application returns `response`, which has status 400, 401, 403 or 503. */
  | {
      readonly auth: null;
      readonly response: Response;
      readonly headers: Readonly<Record<string, string>>;
    };

/** The result of `authenticate` under `optional: true` for a request without a token. */
export interface AnonymousRequest {
  readonly auth: null;
  readonly response: null;
  readonly headers: Readonly<Record<string, string>>;
}

/** The responses whose decision is declared. With two `protect` around a handler, the inner one decided last. */
const declaredResponses = new WeakSet<Response>();

/**
 * Creates a handler of web requests that passes a request with a valid bearer token under `rules`. Other requests get 400,
 * 401, 403 or 503. The header `X-Auth-Degraded` declares a decision without the authority, on any response.
 *
 * `handler` gets the request, the verdict, and the further arguments of the framework. Throws `invalid_option` or
 * `missing_method` at once.
 *
 * @example
 * ```ts
 * import type { Guard } from "holdfast";
 * import { protect } from "holdfast/fetch";
 *
 * declare const guard: Guard;
 *
 * export default {
 *   fetch: protect(guard, { scopes: ["orders:read"] }, (request, auth) =>
 *     Response.json({ subject: auth.subject, path: new URL(request.url).pathname }),
 *   ),
 * };
 * ```
 */
export function protect<C = JwtClaims, R extends Request = Request, Rest extends unknown[] = []>(
  guard: Pick<Guard<C>, "authorize">,
  rules: OptionalRules,
  handler: (request: R, auth: ValidVerdict<C> | null, ...rest: Rest) => Response | Promise<Response>,
): (request: R, ...rest: Rest) => Promise<Response>;
export function protect<C = JwtClaims, R extends Request = Request, Rest extends unknown[] = []>(
  guard: Pick<Guard<C>, "authorize">,
  rules: RequestRules,
  handler: (request: R, auth: ValidVerdict<C>, ...rest: Rest) => Response | Promise<Response>,
): (request: R, ...rest: Rest) => Promise<Response>;
export function protect<C = JwtClaims, R extends Request = Request, Rest extends unknown[] = []>(
  guard: Pick<Guard<C>, "authorize">,
  rules: RequestRules | OptionalRules,
  handler: (request: R, auth: ValidVerdict<C>, ...rest: Rest) => Response | Promise<Response>,
): (request: R, ...rest: Rest) => Promise<Response> {
  const decide = createDecideWebRequest(guard, rules);
  return async (request, ...rest) => {
    const { auth, response } = await decide(request);
    if (response.status !== 200) return toResponse(response);
    // The verdict is absent only under `OptionalRules`.
    return declare(await handler(request, auth as ValidVerdict<C>, ...rest), response.headers);
  };
}

/**
 * Decides on one request, for frameworks whose middleware does not return the response. Rejects with `invalid_option` or
 * `missing_method`.
 *
 * @example
 * ```ts
 * import type { Guard } from "holdfast";
 * import { authenticate } from "holdfast/fetch";
 *
 * declare const guard: Guard;
 *
 * export async function listOrders(request: Request): Promise<Response> {
 *   const { auth, response, headers } = await authenticate(guard, request, { scopes: ["orders:read"] });
 *   if (auth === null) return response;
 *   return Response.json({ subject: auth.subject }, { headers });
 * }
 * ```
 */
export async function authenticate<C = JwtClaims>(
  guard: Pick<Guard<C>, "authorize">,
  request: Request,
  rules: OptionalRules,
): Promise<Authentication<C> | AnonymousRequest>;
export async function authenticate<C = JwtClaims>(
  guard: Pick<Guard<C>, "authorize">,
  request: Request,
  rules?: RequestRules,
): Promise<Authentication<C>>;
export async function authenticate<C = JwtClaims>(
  guard: Pick<Guard<C>, "authorize">,
  request: Request,
  rules: RequestRules | OptionalRules = {},
): Promise<Authentication<C> | AnonymousRequest> {
  const decide = createDecideWebRequest(guard, rules, "authenticate");
  const { auth, response } = await decide(request);
  const { headers } = response;
  if (response.status !== 200) return { auth: null, response: toResponse(response), headers };
  return { auth, response: null, headers };
}

function toResponse({ status, headers, body }: RequestOutcome<unknown>["response"]): Response {
  const refusal = new Response(JSON.stringify(body), { status, headers });
  declaredResponses.add(refusal);
  return refusal;
}

/** Adds headers to the response of a handler, unless the decision of an inner `protect` is declared on it. */
function declare(response: Response, headers: Readonly<Record<string, string>>): Response {
  if (declaredResponses.has(response)) return response;
  const declared = withHeaders(response, Object.entries(headers));
  declaredResponses.add(declared);
  return declared;
}

function withHeaders(response: Response, lines: readonly (readonly [string, string])[]): Response {
  try {
    for (const [name, value] of lines) response.headers.set(name, value);
    return response;
  } catch {
    // The headers of a redirect, and of a response that `fetch` returned, cannot change. An upgrade cannot be copied.
    if (response.status < 200) return response;
    return withHeaders(new Response(response.body, response), lines);
  }
}
