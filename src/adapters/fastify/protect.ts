import type { FastifyInstance } from "fastify";
import { requireMethods } from "../../core/options.ts";
import type { JwtClaims, ValidVerdict } from "../../core/verdict.ts";
import type { Guard } from "../../guard/types.ts";
import type { OptionalRules, RequestRules } from "../http/token-from.ts";
import { markAsPlugin, setUpPlugin } from "./plugin.ts";
import { degradedHeader } from "../http/bearer-response.ts";
import {
  createDecideNodeRequest,
  type PendingResponse,
  type RequestHeaders,
} from "../http/decide-node-request.ts";

export type { ChallengeOptions, OptionalRules, RequestRules, RequestTokenFrom } from "../http/token-from.ts";

/**
 * The claims of `request.auth`. Add the claims of your tokens, and handlers see them with their types.
 *
 * @example
 * ```ts
 * import type {} from "holdfast/fastify";
 *
 * declare module "holdfast/fastify" {
 *   interface AuthClaims {
 *     tenant: string;
 *   }
 * }
 * ```
 */
export interface AuthClaims extends JwtClaims {}

interface Reply {
  readonly raw: PendingResponse;
  removeHeader(name: string): unknown;
  headers(values: Readonly<Record<string, string>>): {
    code(status: number): { send(body: unknown): unknown };
  };
}

/** An `onRequest` hook. It fits routes with any server, schema or logger type. */
export type ProtectHook = (request: { readonly raw: RequestHeaders }, reply: Reply) => Promise<unknown>;

declare module "fastify" {
  interface FastifyRequest {
    /** The verdict on the token. It is set only after `protect`. Without it the value is `null`, which the type cannot say. */
    auth: ValidVerdict<AuthClaims>;
  }
  interface FastifyInstance {
    /** Creates an `onRequest` hook with the guard of the plugin `holdfast`. */
    protect(rules?: RequestRules | OptionalRules): ProtectHook;
  }
}

/**
 * The Fastify plugin. It declares `request.auth`, and decorates the instance that registers it with `protect`.
 *
 * @example
 * ```ts
 * import { fastify } from "fastify";
 * import type { Guard } from "holdfast";
 * import { holdfast } from "holdfast/fastify";
 *
 * declare const guard: Guard;
 *
 * const app = fastify();
 * await app.register(holdfast, { guard });
 * app.get("/orders", { onRequest: app.protect({ scopes: ["orders:read"] }) }, (request) => ({
 *   subject: request.auth.subject,
 * }));
 * ```
 */
export function holdfast<C = JwtClaims>(
  app: FastifyInstance,
  { guard }: { guard: Pick<Guard<C>, "authorize"> },
  done: (error?: Error) => void,
): void {
  setUpPlugin(() => {
    requireMethods("holdfast", "guard", guard, ["authorize"]);
    app.decorateRequest("auth", null as never);
    app.decorate("protect", (rules) => protect(guard, rules));
  }, done);
}
markAsPlugin(holdfast, "holdfast");

/**
 * Creates the same hook for another guard. It responds through `reply`, so that hooks, logs and serializers see the
 * refusals. Throws `invalid_option` or `missing_method` at once.
 *
 * @example
 * ```ts
 * import { fastify } from "fastify";
 * import type { Guard } from "holdfast";
 * import { protect } from "holdfast/fastify";
 *
 * declare const partnerGuard: Guard;
 *
 * const app = fastify();
 * app.get("/partner", { onRequest: protect(partnerGuard, { scopes: ["partner"] }) }, () => "welcome");
 * ```
 */
export function protect<C = JwtClaims>(
  guard: Pick<Guard<C>, "authorize">,
  rules: RequestRules | OptionalRules = {},
): ProtectHook {
  const decide = createDecideNodeRequest(guard, rules);
  return async (request, reply) => {
    const { auth, response } = await decide(request.raw, reply.raw);
    reply.removeHeader(degradedHeader);
    const replyWithHeaders = reply.headers(response.headers);
    if (response.status !== 200) return replyWithHeaders.code(response.status).send(response.body);
    return void Object.assign(request, { auth });
  };
}
