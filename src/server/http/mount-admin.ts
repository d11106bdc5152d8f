import { hostname } from "node:os";
import type { Logger } from "pino";
import type { MetricSource } from "../../core/metrics.ts";
import type { RevocationAgeBounds } from "../../gateway/policy.ts";
import { describeSettings } from "../dashboard/api/settings-list.ts";
import { startDashboard, type Dashboard } from "../dashboard/dashboard-api.ts";
import { revocationLimitMs, type FallbackPolicy } from "../health/fallback.ts";
import type { HealthMonitor } from "../health/health-monitor.ts";
import { claimAdminToken } from "../secret-files.ts";
import type { Service } from "../service.ts";
import type { Settings } from "../settings.ts";
import type { LocalFiles } from "../store/local-store.ts";
import { isLoopbackHost } from "./admin-access.ts";
import { adminApp } from "./admin-app.ts";
import { httpAddress, type Listener } from "./listen.ts";
import { toRequestListener } from "./request-listener.ts";

/** The parts of a process that the admin listener shows. */
export interface AdminParts {
  readonly settings: Settings;
  /** The secret of the service, from its setting or its file. */
  readonly secret: string;
  readonly files: LocalFiles;
  readonly health: HealthMonitor;
  /** The bounds of the policy, and the fallback of the guard. */
  readonly bounds: RevocationAgeBounds;
  readonly fallback: FallbackPolicy;
  /** Further sources of metrics than guard and issuer. */
  readonly metrics: readonly MetricSource[];
  readonly nonce: string;
  readonly log: Logger;
}

/** Serves the admin listener and starts the dashboard. The caller closes the dashboard before the listener. */
export async function mountAdmin(
  listener: Listener,
  service: Service,
  { settings, secret, files, health, bounds, fallback, metrics, nonce, log }: AdminParts,
): Promise<{
  readonly dashboard: Dashboard;
  /** The file of a generated token. */ readonly tokenFile: string | null;
}> {
  const isExposed = !isLoopbackHost(settings.adminHost);
  const isGenerated = isExposed && settings.adminToken === undefined;
  const token = settings.adminToken ?? (isExposed ? await claimAdminToken(files.adminToken) : null);
  const dashboard = startDashboard(service, {
    monitor: health,
    roles: settings.roles,
    settings: describeSettings(settings, secret),
    adminAddress: addressForOthers(listener, settings),
    metrics,
    fallback,
    revocationLimitMs: revocationLimitMs(fallback, bounds),
    storeFile: settings.redis === undefined ? files.data : null,
  });
  const admin = adminApp(service, health, {
    port: listener.port,
    isExposed,
    token,
    nonce,
    log,
    metrics,
    dashboard,
  });
  listener.mount(toRequestListener(admin.fetch), routesOf(admin));
  return { dashboard, tokenFile: isGenerated ? files.adminToken : null };
}

/** A client cannot connect to a wildcard address, so the name of this machine takes its place. */
function addressForOthers({ address, port }: Listener, { adminHost }: Settings): string {
  return ["0.0.0.0", "::"].includes(adminHost) ? httpAddress(hostname(), port) : address;
}

/** The templates of the paths that an app serves. */
function routesOf({ routes }: Pick<ReturnType<typeof adminApp>, "routes">): string[] {
  return routes.map(({ path }) => path).filter((path) => !path.endsWith("*"));
}
