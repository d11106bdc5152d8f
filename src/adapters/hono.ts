import type { Rules } from "../core/rules.ts";
import type { MiddlewareHandler } from "hono";
import type { JwtClaims } from "../core/verdict.ts";
import type { Guard } from "../guard/types.ts";
import { createDecideRequest, type ValidVerdict } from "./http/decide-request.ts";

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
  const decide = createDecideRequest(guard, rules);
  return async (c, next) => {
    const { headers, signal } = c.req.raw;
    const authorization = headers.get("authorization");
    const { auth, response } = await decide(authorization === null ? [] : [authorization], signal);
    if (auth === null) {
      c.set("auth", undefined as never); // Of an earlier `protect`, which has nothing to declare any more.
      return c.json(response.body, response.status, response.headers);
    }
    c.set("auth", auth);
    await next();
    // Now, because a handler's own `Response` replaces what is set before; and the last decision is the one declared.
    const declared = c.get("auth") === auth ? Object.entries(response.headers) : [];
    for (const [name, value] of declared) c.header(name, value);
    return undefined;
  };
}
