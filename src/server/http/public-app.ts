import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { HttpBindings } from "@hono/node-server";
import { Hono } from "hono";
import { oauthError } from "./respond.ts";
import type { HealthMonitor } from "../health/health-monitor.ts";
import type { AnswerKind } from "../health/answer-log.ts";
import { addGetRoute } from "./get-route.ts";
import type { Service } from "../service.ts";
import type { Role } from "../setting-definitions.ts";
import type { Settings } from "../settings.ts";
import { isReset } from "../../adapters/http/client-signal.ts";
import { createAddressReader, forwardedFields } from "../../adapters/http/client-address.ts";
import { createPlainListener } from "../../adapters/http/plain-listener.ts";
import { toRequestListener } from "./request-listener.ts";

/** The endpoints whose answers count in health. */
const countedPaths: ReadonlyMap<string, AnswerKind> = new Map([
  ["/auth/login", "login"],
  ["/auth/refresh", "refresh"],
]);

type PublicSettings = Pick<Settings, "trustedProxies" | "roles">;

/** The public listener without `/verify`: the probes, and the endpoints of the issuer when the service has that role. */
export function createPublicListener(
  service: Service,
  health: HealthMonitor,
  settings: PublicSettings,
): RequestListener {
  const addressOf = addressReader(service, settings);
  const listener = toRequestListener(publicApp(service, health, settings, addressOf).fetch);
  if (!settings.roles.has("issuer")) return listener;
  const answerPlainly = answerIssuerRequest(service, health, addressOf);
  return (req, res) => {
    if (!answerPlainly(req, res)) listener(req, res);
  };
}

type AddressReader = ReturnType<typeof createAddressReader>;

function addressReader({ issuer }: Service, { trustedProxies }: PublicSettings): AddressReader {
  return createAddressReader(issuer.name, trustedProxies, "HOLDFAST_TRUSTED_PROXIES");
}

/** The same with the objects of the Fetch API. */
export function publicApp(
  service: Service,
  health: HealthMonitor,
  settings: PublicSettings,
  addressOf: AddressReader = addressReader(service, settings),
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
  if (!settings.roles.has("issuer")) return app;
  app.all("*", async (c) => {
    const { headers } = c.req.raw;
    const { socket } = c.env.incoming;
    const signal = isReset(socket) ? AbortSignal.abort() : c.req.raw.signal;
    const source = addressOf(socket.remoteAddress, forwardedFields(headers));
    const response = await service.issuer.fetch(c.req.raw, { source, signal });
    if (!signal.aborted) countAnswer(health, c.req.path, response.status, source);
    return response;
  });
  return app;
}

/** A client that has gone gets no answer, and its 503 says nothing about the service. The caller leaves it out. */
function countAnswer(health: HealthMonitor, path: string, status: number, source: string | undefined): void {
  const counted = countedPaths.get(path);
  if (counted !== undefined) health.recordAnswer(counted, status, source);
}

/** Answers most requests for the issuer. Returns false for a request that `publicApp` must answer. */
function answerIssuerRequest(
  { issuer }: Service,
  health: HealthMonitor,
  addressOf: AddressReader,
): (req: IncomingMessage, res: ServerResponse) => boolean {
  return createPlainListener(issuer, {
    factsOf: ({ socket }, headers) => ({ source: addressOf(socket.remoteAddress, forwardedFields(headers)) }),
    onAnswer: (path, status, { source }) => countAnswer(health, path, status, source),
  });
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
