import type { Rules } from "../core/rules.ts";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { JwtClaims } from "../core/verdict.ts";
import type { Guard } from "../guard/types.ts";
import { createDecideNodeRequest, sendRefusal, setHeaders } from "./http/decide-node-request.ts";
import type { ValidVerdict } from "./http/decide-request.ts";

/**
 * The claims of `req.auth`. Name your own, and handlers know them:
 *
 *     declare module "holdfast/express" { interface AuthClaims { tenant: string } }
 */
export interface AuthClaims extends JwtClaims {}

// The namespace that Express' types offer for this; without them it is only a name.
declare global {
  namespace Express {
    interface Request {
      /** The verdict on the token. Only behind `protect`: elsewhere it is `undefined`, which types cannot see. */
      auth: ValidVerdict<AuthClaims>;
    }
  }
}

/**
 * Middleware that lets a request through when its bearer token is valid under `rules`, and answers 400, 401, 403 or
 * 503 otherwise: no error reaches the application. `X-Auth-Degraded` is set when that was decided without the authority.
 *
 *     app.get("/orders", protect(guard, { scopes: ["orders:read"] }), (req, res) => res.json(req.auth.subject));
 */
export function protect<C = JwtClaims>(
  guard: Pick<Guard<C>, "authorize">,
  rules: Rules = {},
): (req: IncomingMessage, res: ServerResponse, next: () => void) => Promise<void> {
  const decide = createDecideNodeRequest(guard, rules);
  return async (req, res, next) => {
    const { auth, response } = await decide(req, res);
    if (auth === null) return sendRefusal(res, response);
    setHeaders(res, response);
    Object.assign(req, { auth });
    next();
  };
}
