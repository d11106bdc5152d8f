import type { Rules } from "../core/rules.ts";
import type { FastifyInstance } from "fastify";
import { requireMethods } from "../core/options.ts";
import type { JwtClaims } from "../core/verdict.ts";
import type { Guard } from "../guard/types.ts";
import { degradedHeader } from "./http/bearer.ts";
import {
  createDecideNodeRequest,
  type PendingResponse,
  type RequestHeaders,
} from "./http/decide-node-request.ts";
import type { ValidVerdict } from "./http/decide-request.ts";

/**
 * The claims of `request.auth`. Name your own, and handlers know them:
 *
 *     declare module "holdfast/fastify" { interface AuthClaims { tenant: string } }
 */
export interface AuthClaims extends JwtClaims {}

interface Reply {
  readonly raw: PendingResponse;
  removeHeader(name: string): unknown;
  headers(values: Readonly<Record<string, string>>): {
    code(status: number): { send(body: unknown): unknown };
  };
}

/** An `onRequest` hook, whatever server, schema or logger its route has. */
export type ProtectHook = (request: { readonly raw: RequestHeaders }, reply: Reply) => Promise<unknown>;

declare module "fastify" {
  interface FastifyRequest {
    /** The verdict on the token. Only behind `protect`: elsewhere it is `null`, which types cannot see. */
    auth: ValidVerdict<AuthClaims>;
  }
  interface FastifyInstance {
    /** `protect` with the guard that `holdfast` was registered with. */
    protect(rules?: Rules): ProtectHook;
  }
}

/**
 * The plugin: declares `request.auth`, and gives the instance it is registered on, and all below, `protect`.
 *
 *     await app.register(holdfast, { guard });
 *     app.get("/orders", { onRequest: app.protect({ scopes: ["orders:read"] }) }, (request) => request.auth.subject);
 */
export function holdfast<C = JwtClaims>(
  app: FastifyInstance,
  { guard }: { guard: Pick<Guard<C>, "authorize"> },
  done: (error?: Error) => void,
): void {
  let failure: Error | undefined;
  try {
    requireMethods("holdfast", "guard", guard, ["authorize"]);
    app.decorateRequest("auth", null as never);
    app.decorate("protect", (rules) => protect(guard, rules));
  } catch (error) {
    failure = error as Error; // Thrown, it would be nobody's.
  }
  done(failure);
}
// What fastify-plugin does: the decorators belong to the instance that registers, not to one of their own below it.
Object.assign(holdfast, {
  [Symbol.for("skip-override")]: true,
  [Symbol.for("plugin-meta")]: { name: "holdfast", fastify: "5.x" },
});

/** The same hook for a guard of the route's own. Replies go through `reply`: hooks, logs and serializers see them. */
export function protect<C = JwtClaims>(guard: Pick<Guard<C>, "authorize">, rules: Rules = {}): ProtectHook {
  const decide = createDecideNodeRequest(guard, rules);
  return async (request, reply) => {
    const { auth, response } = await decide(request.raw, reply.raw);
    reply.removeHeader(degradedHeader);
    const headed = reply.headers(response.headers);
    if (auth === null) return headed.code(response.status).send(response.body);
    return void Object.assign(request, { auth });
  };
}
