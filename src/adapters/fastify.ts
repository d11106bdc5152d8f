import type { FastifyInstance } from "fastify";
import { requireMethods } from "../core/options.ts";
import type { JwtClaims, ValidVerdict } from "../core/verdict.ts";
import type { Guard } from "../guard/types.ts";
import type { OptionalRules, RequestRules } from "./http/token-from.ts";
import { markAsPlugin, setUpPlugin } from "./fastify/plugin.ts";
import {
  createIssuerListener,
  readMount,
  type MountableIssuer,
  type MountOptions,
} from "./http/mounted-issuer.ts";
import { degradedHeader } from "./http/bearer-response.ts";
import {
  createDecideNodeRequest,
  type PendingResponse,
  type RequestHeaders,
} from "./http/decide-node-request.ts";

export type { MountableIssuer, MountOptions } from "./http/mounted-issuer.ts";
export type { ChallengeOptions, OptionalRules, RequestRules, RequestTokenFrom } from "./http/token-from.ts";

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

/**
 * A plugin that serves the paths of an issuer, with the address of the client for its login limits. It works under a
 * `prefix`, too. The response bypasses `onSend` hooks, and keeps headers that earlier hooks have set. The plugin does not
 * read the body, so body parsers of the application do not see it. Throws `invalid_option` or `missing_method` at once.
 *
 * @example
 * ```ts
 * import { fastify } from "fastify";
 * import { mountIssuer } from "holdfast/fastify";
 * import type { Issuer } from "holdfast/issuer";
 *
 * declare const issuer: Issuer;
 *
 * const app = fastify();
 * await app.register(mountIssuer(issuer, { trustedProxies: ["10.0.0.0/8"] }));
 * ```
 */
export function mountIssuer(
  issuer: MountableIssuer,
  options: MountOptions = {},
): (app: FastifyInstance, pluginOptions: object, done: (error?: Error) => void) => void {
  const listener = createIssuerListener(issuer, readMount(issuer, options));
  return (app, _, done) => {
    setUpPlugin(() => {
      app.removeAllContentTypeParsers();
      // The issuer reads the body as a stream, with limits of size and time.
      app.addContentTypeParser("*", (_request, _payload, parsed) => parsed(null));
      for (const path of issuer.paths) {
        app.all(path, (request, reply) => {
          reply.hijack();
          const { raw } = request;
          const response = reply.raw;
          for (const [name, value] of Object.entries(reply.getHeaders())) {
            if (value !== undefined) response.setHeader(name, value);
          }
          const { url = "" } = raw;
          raw.url = url.slice(app.prefix.length);
          response.once("close", () => (raw.url = url));
          listener(raw, response);
        });
      }
    }, done);
  };
}
