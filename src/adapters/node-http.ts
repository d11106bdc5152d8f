import type { IncomingMessage, ServerResponse } from "node:http";
import type { JwtClaims } from "../core/verdict.ts";
import type { Guard, Rules } from "../guard/types.ts";
import { nodeDecision, refuse, setHeaders } from "./node-request.ts";
import type { ValidVerdict } from "./request-decision.ts";

/** A request whose token was accepted; the verdict is on `auth`. */
export type AuthenticatedRequest<C = JwtClaims> = IncomingMessage & { readonly auth: ValidVerdict<C> };

/**
 * Lets a request through to `handler` when its bearer token is valid under `rules`; answers 400, 401, 403 or
 * 503 otherwise. `X-Auth-Degraded` is set when that was decided without the authority.
 *
 *     createServer(protect(guard, { scopes: ["orders:read"] }, (req, res) => res.end(req.auth.subject)));
 */
export function protect<C = JwtClaims>(
  guard: Pick<Guard<C>, "authorize">,
  rules: Rules,
  handler: (req: AuthenticatedRequest<C>, res: ServerResponse) => unknown,
): (req: IncomingMessage, res: ServerResponse) => void {
  const decide = nodeDecision(guard, rules);
  const pass = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const { auth, answer } = await decide(req, res);
    if (auth === null) return refuse(res, answer);
    setHeaders(res, answer);
    await handler(Object.assign(req, { auth }), res);
  };
  // What the handler throws stays as loud as under node:http itself: it is not ours to answer.
  return (req, res) => void pass(req, res);
}
