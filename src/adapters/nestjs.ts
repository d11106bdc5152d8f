import type { Rules } from "../core/rules.ts";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createParamDecorator, HttpException } from "@nestjs/common";
import type { CanActivate, ExecutionContext } from "@nestjs/common";
import { HoldfastError } from "../core/errors.ts";
import type { JwtClaims } from "../core/verdict.ts";
import type { Guard } from "../guard/types.ts";
import { createDecideNodeRequest, setHeaders } from "./http/decide-node-request.ts";
import type { ValidVerdict } from "./http/decide-request.ts";

export type { ValidVerdict } from "./http/decide-request.ts";

/**
 * A Nest guard that lets a request through when its bearer token is valid under `rules`. Otherwise it throws an
 * `HttpException` of 400, 401, 403 or 503 for the application's filters, its headers set already.
 * `X-Auth-Degraded` is set when that was decided without the authority.
 *
 *     @Get("orders")
 *     @UseGuards(protect(guard, { scopes: ["orders:read"] }))
 *     list(@Auth() auth: ValidVerdict) { return auth.subject; }
 */
export function protect<C = JwtClaims>(guard: Pick<Guard<C>, "authorize">, rules: Rules = {}): CanActivate {
  const decide = createDecideNodeRequest(guard, rules);
  return {
    async canActivate(context) {
      if (context.getType() !== "http") {
        throw new HoldfastError("invalid_option", "protect is for HTTP handlers, and this is another");
      }
      const request = context.switchToHttp().getRequest<IncomingMessage & { raw?: IncomingMessage }>();
      const response = context.switchToHttp().getResponse<ServerResponse & { raw?: ServerResponse }>();
      const { raw = response } = response; // Fastify has Node's own inside.
      const { auth, response: refusal } = await decide(request.raw ?? request, raw);
      setHeaders(raw, refusal);
      if (auth === null) throw new HttpException(refusal.body, refusal.status);
      Object.assign(request, { auth });
      return true;
    },
  };
}

/** The verdict on the token, for a handler behind `protect`; elsewhere `undefined`. */
export const Auth: () => ParameterDecorator = createParamDecorator(
  (_: unknown, context: ExecutionContext) =>
    context.switchToHttp().getRequest<{ auth?: ValidVerdict }>().auth,
);
