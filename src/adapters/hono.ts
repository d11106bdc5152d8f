import type { MiddlewareHandler } from "hono";
import type { JwtClaims, ValidVerdict } from "../core/verdict.ts";
import type { Guard } from "../guard/types.ts";
import type { OptionalRules, RequestRules } from "./http/token-from.ts";
import { createDecideWebRequest } from "./http/decide-request.ts";

export type { ChallengeOptions, OptionalRules, RequestRules, RequestTokenFrom } from "./http/token-from.ts";

/** The variables under `optional: true`. `c.var.auth` is `undefined` for a request without a token. */
export interface OptionalAuthEnv<C = JwtClaims> {
  Variables: { auth: ValidVerdict<C> | undefined };
}

/** The variables that `protect` adds to the context. `c.var.auth` is the verdict on the token. */
export interface AuthEnv<C = JwtClaims> {
  Variables: { auth: ValidVerdict<C> };
}

/**
 * Middleware that passes a request with a valid bearer token under `rules`. Other requests get 400, 401, 403 or 503. The
 * header `X-Auth-Degraded` declares a decision without the authority, on any response of the handler. It needs only the
 * `Request`, so it runs on every runtime of Hono. Throws `invalid_option` or `missing_method` at once.
 *
 * @example
 * ```ts
 * import { Hono } from "hono";
 * import type { Guard } from "holdfast";
 * import { protect } from "holdfast/hono";
 *
 * declare const guard: Guard;
 *
 * const app = new Hono();
 * app.get("/orders", protect(guard, { scopes: ["orders:read"] }), (c) =>
 *   c.json({ subject: c.var.auth.subject }),
 * );
 * ```
 */
export function protect<C = JwtClaims>(
  guard: Pick<Guard<C>, "authorize">,
  rules: OptionalRules,
): MiddlewareHandler<OptionalAuthEnv<C>>;
export function protect<C = JwtClaims>(
  guard: Pick<Guard<C>, "authorize">,
  rules?: RequestRules,
): MiddlewareHandler<AuthEnv<C>>;
export function protect<C = JwtClaims>(
  guard: Pick<Guard<C>, "authorize">,
  rules: RequestRules | OptionalRules = {},
): MiddlewareHandler {
  const decide = createDecideWebRequest(guard, rules);
  return async (c, next) => {
    const { auth, response } = await decide(c.req.raw);
    if (response.status !== 200) {
      // An earlier `protect` set a verdict. Without it, that middleware declares nothing.
      c.set("auth", undefined as never);
      return c.json(response.body, response.status, response.headers);
    }
    // The value is absent only under `OptionalAuthEnv`.
    c.set("auth", (auth ?? undefined) as ValidVerdict<C>);
    await next();
    // The headers are set after the handler, because its own `Response` replaces earlier headers. When two guards protect
    // a route, only the last decision is declared.
    const declared = c.get("auth") === (auth ?? undefined) ? Object.entries(response.headers) : [];
    for (const [name, value] of declared) c.header(name, value);
    return undefined;
  };
}
