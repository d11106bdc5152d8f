import type { HttpBindings } from "@hono/node-server";
import { Hono } from "hono";
import { oauthError } from "../../issuer/endpoints/respond.ts";
import { checkServiceHealth } from "../health.ts";
import { addGetRoute } from "./get-route.ts";
import type { Service } from "../service.ts";
import type { Settings } from "../settings.ts";
import { createAddressReader } from "../../adapters/http/client-address.ts";

/** The public listener without `/verify`: the probes, and the endpoints of the issuer when the service has that role. */
export function publicApp(
  service: Service,
  { trustedProxies, roles }: Pick<Settings, "trustedProxies" | "roles">,
): Hono<{ Bindings: HttpBindings }> {
  const app = new Hono<{ Bindings: HttpBindings }>();
  addGetRoute(app, "/health/live", (c) => c.json({ status: "ok" }, 200, { "Cache-Control": "no-store" }));
  addGetRoute(app, "/health/ready", async (c) => {
    const { status, components } = await checkServiceHealth(service);
    // The probe is public, so it names the component and not the reason.
    const parts = Object.fromEntries(Object.entries(components).map(([name, part]) => [name, part.status]));
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
    return await service.issuer.fetch(c.req.raw, {
      source: addressOf(peer, { forwardedFor, forwarded: c.req.header("forwarded") }),
      device: c.req.header("user-agent"),
      signal: c.req.raw.signal,
    });
  });
  return app;
}
