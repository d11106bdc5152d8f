import { createParamDecorator, HttpException } from "@nestjs/common";
import type { CanActivate, ExecutionContext } from "@nestjs/common";
import type { Connection } from "../connections/index.ts";
import { HoldfastError } from "../core/errors.ts";
import type { Decision, JwtClaims, ValidVerdict } from "../core/verdict.ts";
import type { Guard } from "../guard/types.ts";
import type { OptionalRules, RequestRules } from "./http/token-from.ts";
import { bearerResponse, degradedHeader, type RefusalResponse } from "./http/bearer-response.ts";
import { createDecideNodeRequest, type PendingResponse } from "./http/decide-node-request.ts";
import { readHandlerContext, type NestRequest } from "./nestjs/handler-context.ts";

export type { ChallengeOptions, OptionalRules, RequestRules, RequestTokenFrom } from "./http/token-from.ts";

export type { ValidVerdict } from "../core/verdict.ts";

/**
 * A Nest guard that passes a request with a valid bearer token under `rules`. For other requests it throws an
 * `HttpException` with 400, 401, 403 or 503. The headers are set before, and the application's exception filters see it.
 * The header `X-Auth-Degraded` declares a decision without the authority. Throws `invalid_option` or `missing_method` at
 * once.
 *
 * A GraphQL resolver needs the request as `req` in its context. Subscriptions and handlers of a WebSocket gateway run on a
 * live connection. The current verdict of the connection counts there, and `rules` may have `scopes` only.
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
  rules: RequestRules | OptionalRules = {},
): CanActivate {
  const decide = createDecideNodeRequest(guard, rules);
  return {
    async canActivate(context) {
      const handler = readHandlerContext(context);
      // Nest tells the client of a socket that the handler is forbidden.
      if (handler.kind === "unprotected") return false;
      if (handler.kind === "connection") {
        const decision = decideOn(handler.connection, rules);
        if (decision.status === "valid" || context.getType<string>() === "ws") {
          return decision.status === "valid";
        }
        const { body, status } = bearerResponse(decision, rules.scopes) as RefusalResponse;
        throw new HttpException(body, status);
      }
      const { request, response } = handler;
      const outcome = await decide(request.raw ?? request, response ?? withoutEvents);
      if (typeof response?.removeHeader === "function") response.removeHeader(degradedHeader);
      for (const [name, value] of Object.entries(outcome.response.headers)) response?.setHeader(name, value);
      const { auth, response: answer } = outcome;
      if (answer.status !== 200) throw new HttpException(answer.body, answer.status);
      Object.assign(request, { auth: auth ?? undefined });
      return true;
    },
  };
}

/** Stands for the response of a context that has none. Nothing tells that its client goes away. */
const withoutEvents: PendingResponse = { closed: false, once: () => {}, off: () => {} };

/** Decides on the token of a connection. Its own `protect` applies the other rules to every message. */
function decideOn(connection: Connection, { scopes = [], ...others }: RequestRules): Decision<unknown> {
  const [other] = Object.keys(others);
  if (other !== undefined) {
    throw new HoldfastError(
      "invalid_option",
      `protect: on a connection the rule ${other} belongs to the protect of the connection`,
    );
  }
  const decision = connection.current();
  if (decision.status !== "valid") return decision;
  const missing = scopes.filter((scope) => !decision.scopes.includes(scope));
  return missing.length === 0 ? decision : { status: "forbidden", missing };
}

/**
 * The parameter decorator for the verdict on the token. It is set only behind `protect`. The parameter is `undefined` without
 * it.
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
  (_: unknown, context: ExecutionContext): ValidVerdict | undefined => {
    const handler = readHandlerContext(context);
    if (handler.kind === "connection") return handler.connection.auth ?? undefined;
    if (handler.kind === "unprotected") return undefined;
    return (handler.request as NestRequest & { auth?: ValidVerdict }).auth;
  },
);
