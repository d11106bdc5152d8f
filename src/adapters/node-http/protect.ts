import type { IncomingMessage, ServerResponse } from "node:http";
import type { JwtClaims, ValidVerdict } from "../../core/verdict.ts";
import type { Guard } from "../../guard/types.ts";
import type { OptionalRules, RequestRules } from "../http/token-from.ts";
import { createAuthorizeNodeRequest } from "../http/decide-node-request.ts";

export type { ChallengeOptions, OptionalRules, RequestRules, RequestTokenFrom } from "../http/token-from.ts";

/** A request under `optional: true`. `auth` is `undefined` when the request has no token. */
export type MaybeAuthenticatedRequest<C = JwtClaims> = IncomingMessage & {
  readonly auth: ValidVerdict<C> | undefined;
};

/** A request with a valid token. `auth` is the verdict on the token. */
export type AuthenticatedRequest<C = JwtClaims> = IncomingMessage & { readonly auth: ValidVerdict<C> };

/**
 * Calls `handler` when the request has a valid bearer token under `rules`. Other requests get 400, 401, 403 or 503. The
 * header `X-Auth-Degraded` declares a decision without the authority. Throws `invalid_option` or `missing_method` at once.
 *
 * @example
 * ```ts
 * import { createServer } from "node:http";
 * import type { Guard } from "holdfast";
 * import { protect } from "holdfast/node-http";
 *
 * declare const guard: Guard;
 *
 * const listOrders = protect(guard, { scopes: ["orders:read"] }, (req, res) => {
 *   res.end(`The orders of ${req.auth.subject}\n`);
 * });
 * createServer(listOrders).listen(3000);
 * ```
 */
export function protect<C = JwtClaims>(
  guard: Pick<Guard<C>, "authorize">,
  rules: OptionalRules,
  handler: (req: MaybeAuthenticatedRequest<C>, res: ServerResponse) => unknown,
): (req: IncomingMessage, res: ServerResponse) => void;
export function protect<C = JwtClaims>(
  guard: Pick<Guard<C>, "authorize">,
  rules: RequestRules,
  handler: (req: AuthenticatedRequest<C>, res: ServerResponse) => unknown,
): (req: IncomingMessage, res: ServerResponse) => void;
export function protect<C = JwtClaims>(
  guard: Pick<Guard<C>, "authorize">,
  rules: RequestRules | OptionalRules,
  handler: (req: AuthenticatedRequest<C>, res: ServerResponse) => unknown,
): (req: IncomingMessage, res: ServerResponse) => void {
  const authorize = createAuthorizeNodeRequest(guard, rules);
  const pass = (req: IncomingMessage, res: ServerResponse, auth: Awaited<ReturnType<typeof authorize>>) => {
    // The verdict is absent only under `OptionalRules`.
    return auth === null ? undefined : handler(Object.assign(req, { auth: auth as ValidVerdict<C> }), res);
  };
  const passLater = async (
    req: IncomingMessage,
    res: ServerResponse,
    auth: ReturnType<typeof authorize>,
  ): Promise<void> => void (await pass(req, res, await auth));
  return (req, res) => {
    const auth = authorize(req, res);
    // An error of the handler stays unhandled, as it is under node:http without Holdfast.
    if (auth instanceof Promise) void passLater(req, res, auth);
    else void pass(req, res, auth);
  };
}
