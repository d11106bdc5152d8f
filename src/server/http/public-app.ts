import type { HttpBindings } from "@hono/node-server";
import { Hono } from "hono";
import { oauthError } from "../../issuer/endpoints/respond.ts";
import type { HealthMonitor } from "../health/health-monitor.ts";
import type { AnswerKind } from "../health/answer-log.ts";
import { addGetRoute } from "./get-route.ts";
import type { Service } from "../service.ts";
import type { Role } from "../setting-definitions.ts";
import type { Settings } from "../settings.ts";
import { createAddressReader } from "../../adapters/http/client-address.ts";

/** The endpoints whose answers count in health. */
const countedPaths: ReadonlyMap<string, AnswerKind> = new Map([
  ["/auth/login", "login"],
  ["/auth/refresh", "refresh"],
]);

/** The public listener without `/verify`: the probes, and the endpoints of the issuer when the service has that role. */
export function publicApp(
  service: Service,
  health: HealthMonitor,
  { trustedProxies, roles }: Pick<Settings, "trustedProxies" | "roles">,
): Hono<{ Bindings: HttpBindings }> {
  const app = new Hono<{ Bindings: HttpBindings }>();
  addGetRoute(app, "/health/live", (c) => c.json({ status: "ok" }, 200, { "Cache-Control": "no-store" }));
  addGetRoute(app, "/health/ready", async (c) => {
    const role = c.req.query("role");
    if (role !== undefined && !isRole(role)) {
      return oauthError(400, "invalid_request", "role: must be issuer or gateway");
    }
    const { status: overall, roles: byRole, components } = await health.check();
    // The probe is public, so it names the component and not the reason.
    const parts = Object.fromEntries(Object.entries(components).map(([name, part]) => [name, part.status]));
    // A proxy that routes by role must not choose a process without it.
    const status = role === undefined ? overall : (byRole[role] ?? "unavailable");
    // A degraded service is ready. A service that still answers must not be taken out of use.
    const ready = status !== "unavailable";
    const headers = { "Cache-Control": "no-store", ...(ready ? {} : { "Retry-After": "1" }) };
    return c.json({ status, components: parts }, ready ? 200 : 503, headers);
  });
  app.notFound(() => oauthError(404, "not_found", "There is nothing here."));
  if (!roles.has("issuer")) return app;
  const addressOf = createAddressReader(service.issuer.name, trustedProxies, "HOLDFAST_TRUSTED_PROXIES");
  app.all("*", async (c) => {
    const peer = c.env.incoming.socket.remoteAddress;
    const forwardedFor = c.req.header("x-forwarded-for");
    const source = addressOf(peer, { forwardedFor, forwarded: c.req.header("forwarded") });
    const { signal } = c.req.raw;
    const device = c.req.header("user-agent");
    const response = await service.issuer.fetch(c.req.raw, { source, device, signal });
    const counted = countedPaths.get(c.req.path);
    // A client that has gone gets no answer, and its 503 says nothing about the service.
    if (counted !== undefined && !signal.aborted) health.recordAnswer(counted, response.status, source);
    return response;
  });
  return app;
}

/** The templates of the paths that the public listener serves. */
export function publicRoutes({ issuer }: Pick<Service, "issuer">, roles: Settings["roles"]): string[] {
  return [
    "/health/live",
    "/health/ready",
    ...(roles.has("gateway") ? ["/verify/*"] : []),
    ...(roles.has("issuer") ? issuer.paths : []),
  ];
}

function isRole(text: string): text is Role {
  return text === "issuer" || text === "gateway";
}
