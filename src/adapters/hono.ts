import type { MiddlewareHandler } from "hono";
import type { JwtClaims } from "../core/verdict.ts";
import type { Guard, Rules } from "../guard/types.ts";
import { requestDecision, type ValidVerdict } from "./request-decision.ts";

/** What `protect` adds to a context: `c.var.auth`, the verdict on the token. */
export interface AuthEnv<C = JwtClaims> {
  Variables: { auth: ValidVerdict<C> };
}

/**
 * Middleware that lets a request through when its bearer token is valid under `rules`, and answers 400, 401, 403 or
 * 503 otherwise. `X-Auth-Degraded` is set, on whatever the handler answers, when that was decided without the
 * authority. Needs nothing but the `Request`: any runtime of Hono will do.
 *
 *     app.get("/orders", protect(guard, { scopes: ["orders:read"] }), (c) => c.json(c.var.auth.subject));
 */
export function protect<C = JwtClaims>(
  guard: Pick<Guard<C>, "authorize">,
  rules: Rules = {},
): MiddlewareHandler<AuthEnv<C>> {
  const decide = requestDecision(guard, rules);
  return async (c, next) => {
    const { headers, signal } = c.req.raw;
    const authorization = headers.get("authorization");
    const { auth, answer } = await decide(authorization === null ? [] : [authorization], signal);
    if (auth === null) {
      c.set("auth", undefined as never); // Of an earlier `protect`, which has nothing to declare any more.
      return c.json(answer.body, answer.status, answer.headers);
    }
    c.set("auth", auth);
    await next();
    // Now, because a handler's own `Response` replaces what is set before; and the last decision is the one declared.
    const declared = c.get("auth") === auth ? Object.entries(answer.headers) : [];
    for (const [name, value] of declared) c.header(name, value);
    return undefined;
  };
}
