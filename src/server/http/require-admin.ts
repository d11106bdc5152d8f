import type { MiddlewareHandler } from "hono";
import { protect, type AuthEnv } from "../../adapters/hono.ts";
import { oauthError } from "./respond.ts";
import { ADMIN_SCOPE } from "../../issuer/users/administrators.ts";
import { ownAudience, type Service } from "../service.ts";

/** Refuses requests without an access token of this service with the scope `holdfast:admin`. */
export function requireAdmin(service: Service): [MiddlewareHandler<AuthEnv>, MiddlewareHandler<AuthEnv>] {
  const authorize = protect(service.guard, {
    scopes: [ADMIN_SCOPE],
    audience: ownAudience(service),
    degraded: "deny",
  });
  return [
    authorize,
    async (c, next) => {
      // A provider that grants a scope of this name must not administer the service.
      if (c.var.auth.claims.iss !== service.url) {
        return oauthError(403, "forbidden", "The token must be an access token of this service.");
      }
      return await next();
    },
  ];
}
