import type { IncomingMessage, ServerResponse } from "node:http";
import { createParamDecorator, HttpException } from "@nestjs/common";
import type { CanActivate, ExecutionContext } from "@nestjs/common";
import { HoldfastError } from "../core/errors.ts";
import type { JwtClaims, ValidVerdict } from "../core/verdict.ts";
import type { Guard } from "../guard/types.ts";
import type { RequestRules } from "./http/token-from.ts";
import { createDecideNodeRequest, setHeaders } from "./http/decide-node-request.ts";

export type { RequestRules, RequestTokenFrom } from "./http/token-from.ts";

export type { ValidVerdict } from "../core/verdict.ts";

/**
 * A Nest guard that passes a request with a valid bearer token under `rules`. For other requests it throws an
 * `HttpException` with 400, 401, 403 or 503. The headers are set before, and the application's exception filters see it.
 * The header `X-Auth-Degraded` declares a decision without the authority. Throws `invalid_option` or `missing_method` at
 * once.
 *
 * @example
 * ```ts
 * import { Controller, Get, UseGuards } from "@nestjs/common";
 * import type { Guard } from "holdfast";
 * import { Auth, protect, type ValidVerdict } from "holdfast/nestjs";
 *
 * declare const guard: Guard;
 *
 * @Controller()
 * export class Orders {
 *   @Get("orders")
 *   @UseGuards(protect(guard, { scopes: ["orders:read"] }))
 *   list(@Auth() auth: ValidVerdict): string {
 *     return auth.subject;
 *   }
 * }
 * ```
 */
export function protect<C = JwtClaims>(
  guard: Pick<Guard<C>, "authorize">,
  rules: RequestRules = {},
): CanActivate {
  const decide = createDecideNodeRequest(guard, rules);
  return {
    async canActivate(context) {
      if (context.getType() !== "http") {
        throw new HoldfastError(
          "invalid_option",
          `protect needs an HTTP handler; got a handler of type ${context.getType()}`,
        );
      }
      const request = context.switchToHttp().getRequest<IncomingMessage & { raw?: IncomingMessage }>();
      const response = context.switchToHttp().getResponse<ServerResponse & { raw?: ServerResponse }>();
      // Fastify wraps the request and the response of Node.
      const { raw = response } = response;
      const outcome = await decide(request.raw ?? request, raw);
      setHeaders(raw, outcome.response);
      if (outcome.auth === null) throw new HttpException(outcome.response.body, outcome.response.status);
      Object.assign(request, { auth: outcome.auth });
      return true;
    },
  };
}

/**
 * The parameter decorator for the verdict on the token. It is set only behind `protect`. Without it the parameter is
 * `undefined`.
 *
 * @example
 * ```ts
 * import { Controller, Get } from "@nestjs/common";
 * import { Auth, type ValidVerdict } from "holdfast/nestjs";
 *
 * @Controller()
 * export class Profile {
 *   @Get("me")
 *   me(@Auth() auth: ValidVerdict): string {
 *     return auth.subject;
 *   }
 * }
 * ```
 */
export const Auth: () => ParameterDecorator = createParamDecorator(
  (_: unknown, context: ExecutionContext) =>
    context.switchToHttp().getRequest<{ auth?: ValidVerdict }>().auth,
);
