import type { IncomingMessage, ServerResponse } from "node:http";
import type { JwtClaims } from "../core/verdict.ts";
import type { Guard, Rules } from "../guard/types.ts";
import { nodeDecision, refuse, setHeaders } from "./node-request.ts";
import type { ValidVerdict } from "./request-decision.ts";

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
  const decide = nodeDecision(guard, rules);
  return async (req, res, next) => {
    const { auth, answer } = await decide(req, res);
    if (auth === null) return refuse(res, answer);
    setHeaders(res, answer);
    Object.assign(req, { auth });
    next();
  };
}
