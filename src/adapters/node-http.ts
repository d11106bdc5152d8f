import type { Rules } from "../core/rules.ts";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { JwtClaims } from "../core/verdict.ts";
import type { Guard } from "../guard/types.ts";
import { createDecideNodeRequest, sendRefusal, setHeaders } from "./http/decide-node-request.ts";
import type { ValidVerdict } from "./http/decide-request.ts";

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
  const decide = createDecideNodeRequest(guard, rules);
  const handle = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const { auth, response } = await decide(req, res);
    if (auth === null) return sendRefusal(res, response);
    setHeaders(res, response);
    await handler(Object.assign(req, { auth }), res);
  };
  // What the handler throws stays as loud as under node:http itself: it is not ours to response.
  return (req, res) => void handle(req, res);
}
