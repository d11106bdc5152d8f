import type { IncomingMessage, ServerResponse } from "node:http";
import type { JwtClaims, ValidVerdict } from "../core/verdict.ts";
import type { Guard } from "../guard/types.ts";
import { degradedHeader } from "./http/bearer-response.ts";
import { createDecideNodeRequest } from "./http/decide-node-request.ts";
import type { OptionalRules, RequestRules } from "./http/token-from.ts";

export type { ChallengeOptions, OptionalRules, RequestRules, RequestTokenFrom } from "./http/token-from.ts";
export type { ValidVerdict } from "../core/verdict.ts";

/** The part of Koa's context that `protect` uses. */
export interface KoaContext<C = JwtClaims> {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  /** `auth` is the verdict on the token. It is set only after `protect`. */
  readonly state: { auth?: ValidVerdict<C> };
  status: number;
  body: unknown;
  set(headers: Record<string, string>): void;
  remove(name: string): void;
}

/**
 * Middleware that passes a request with a valid bearer token under `rules`. Other requests get 400, 401, 403 or 503. The
 * header `X-Auth-Degraded` declares a decision without the authority. Throws `invalid_option` or `missing_method` at once.
 *
 * @example
 * ```ts
 * import Koa from "koa";
 * import type { Guard } from "holdfast";
 * import { protect, type ValidVerdict } from "holdfast/koa";
 *
 * declare const guard: Guard;
 *
 * const app = new Koa<{ auth: ValidVerdict }>();
 * app.use(protect(guard, { scopes: ["orders:read"] }));
 * app.use((ctx) => {
 *   ctx.body = { subject: ctx.state.auth.subject };
 * });
 * ```
 */
export function protect<C = JwtClaims>(
  guard: Pick<Guard<C>, "authorize">,
  rules: RequestRules | OptionalRules = {},
): (context: KoaContext<C>, next: () => Promise<unknown>) => Promise<void> {
  const decide = createDecideNodeRequest(guard, rules);
  return async (context, next) => {
    const { auth, response } = await decide(context.req, context.res);
    context.remove(degradedHeader);
    context.set(response.headers);
    if (response.status !== 200) {
      context.status = response.status;
      context.body = response.body;
      return;
    }
    if (auth === null) delete context.state.auth;
    else context.state.auth = auth;
    await next();
  };
}
