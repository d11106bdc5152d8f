import type { RequestListener } from "node:http";
import { createGateway, isVerifyRequest } from "../../gateway/gateway.ts";
import type { PathPolicy } from "../../gateway/policy.ts";
import { ACCESS_COOKIE } from "../../issuer/endpoints/token-cookies.ts";
import type { GuardFile } from "../guard-file.ts";
import type { HealthMonitor } from "../health/health-monitor.ts";
import { ProxyMonitor } from "../health/proxy-monitor.ts";
import { createPublicListener, publicRoutes } from "./public-app.ts";
import { ownAudience, type Service } from "../service.ts";
import type { Settings } from "../settings.ts";
import type { Listener } from "./listen.ts";

/** `undefined` when every peer may ask `/verify`, or no peer may. */
export function watchProxies(
  { issuer, platform }: Service,
  { roles }: Settings,
  policy: PathPolicy | undefined,
): ProxyMonitor | undefined {
  if (policy === undefined || !roles.has("gateway")) return undefined;
  return new ProxyMonitor(issuer.name, platform.clock);
}

interface GatewayParts {
  readonly policy: PathPolicy | undefined;
  readonly guardFile: GuardFile;
  readonly proxies: ProxyMonitor | undefined;
}

/** Puts everything that clients and proxies may ask on the public listener. */
export function mountPublic(
  listener: Listener,
  service: Service,
  health: HealthMonitor,
  settings: Settings,
  parts: GatewayParts,
): void {
  const handler = createPublicHandler(service, health, settings, parts);
  listener.mount(handler, publicRoutes(service, settings.roles));
}

/** The gateway at `/verify`, and the other endpoints of the public listener. */
function createPublicHandler(
  service: Service,
  health: HealthMonitor,
  settings: Settings,
  { policy, guardFile, proxies }: GatewayParts,
): RequestListener {
  const { trustedProxies, roles, cookies } = settings;
  const serveOther = createPublicListener(service, health, settings);
  if (!roles.has("gateway")) return serveOther;
  const verify = createGateway(service.guard, {
    policy,
    trustedProxies,
    audience: [ownAudience(service), ...guardFile.audiences],
    cookie: cookies && { name: ACCESS_COOKIE, origins: new Set(cookies.origins) },
    ...(proxies !== undefined && { onPeer: proxies.record.bind(proxies) }),
  });
  return (req, res): unknown => (isVerifyRequest(req) ? verify : serveOther)(req, res);
}
