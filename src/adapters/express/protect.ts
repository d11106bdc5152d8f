import type { IncomingMessage, ServerResponse } from "node:http";
import type { JwtClaims, ValidVerdict } from "../../core/verdict.ts";
import type { Guard } from "../../guard/types.ts";
import type { OptionalRules, RequestRules } from "../http/token-from.ts";
import { createAuthorizeNodeRequest } from "../http/decide-node-request.ts";

export type { ChallengeOptions, OptionalRules, RequestRules, RequestTokenFrom } from "../http/token-from.ts";

/**
 * The claims of `req.auth`. Add the claims of your tokens, and handlers see them with their types.
 *
 * @example
 * ```ts
 * import type {} from "holdfast/express";
 *
 * declare module "holdfast/express" {
 *   interface AuthClaims {
 *     tenant: string;
 *   }
 * }
 * ```
 */
export interface AuthClaims extends JwtClaims {}

// The types of Express offer this namespace for extensions. Without them it is an unused name.
declare global {
  namespace Express {
    interface Request {
      /** The verdict on the token. It is set only after `protect`. Without it the value is `undefined`, which the type cannot say. */
      auth: ValidVerdict<AuthClaims>;
    }
  }
}

/**
 * Middleware that passes a request with a valid bearer token under `rules`. Other requests get 400, 401, 403 or 503, and
 * error handlers do not see them. The header `X-Auth-Degraded` declares a decision without the authority. Throws
 * `invalid_option` or `missing_method` at once.
 *
 * @example
 * ```ts
 * import express from "express";
 * import type { Guard } from "holdfast";
 * import { protect } from "holdfast/express";
 *
 * declare const guard: Guard;
 *
 * const app = express();
 * app.get("/orders", protect(guard, { scopes: ["orders:read"] }), (req, res) => {
 *   res.json({ subject: req.auth.subject });
 * });
 * ```
 */
export function protect<C = JwtClaims>(
  guard: Pick<Guard<C>, "authorize">,
  rules: RequestRules | OptionalRules = {},
): (req: IncomingMessage, res: ServerResponse, next: () => void) => Promise<void> {
  const authorize = createAuthorizeNodeRequest(guard, rules);
  return async (req, res, next) => {
    const auth = await authorize(req, res);
    if (auth === null) return;
    Object.assign(req, { auth });
    next();
  };
}
