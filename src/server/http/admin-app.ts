import { Hono } from "hono";
import type { Logger } from "pino";
import type { Clock } from "../../core/clock.ts";
import type { MetricSource } from "../../core/metrics.ts";
import { cacheHealthCheck } from "../../cache/index.ts";
import { toWebResponse } from "../../core/plain-http.ts";
import { EndpointException } from "../../issuer/endpoints/respond.ts";
import { oauthError } from "./respond.ts";
import { withDeadline } from "../../resilience/deadline.ts";
import type { Dashboard } from "../dashboard/dashboard-api.ts";
import { addAdminAccess, type AdminAccess } from "./admin-access.ts";
import { adminPage } from "./admin-page.ts";
import { contentSecurityPolicy } from "./admin-style.ts";
import { addDashboardPage } from "./dashboard-page.ts";
import type { HealthMonitor } from "../health/health-monitor.ts";
import { addGetRoute } from "./get-route.ts";
import { addGuardActions } from "./guard-actions.ts";
import { addMetricsRoute } from "./metrics-route.ts";
import { isChallenge, proveNonce } from "../process-proof.ts";
import type { Service } from "../service.ts";

const RECENT_EVENTS = 20;
const USERS_COUNTED = 1000;
const STORE_DEADLINE_MS = 1000;

interface AdminContext extends AdminAccess {
  /** The secret by which this process proves to a command who it is. */
  readonly nonce: string;
  readonly log: Logger;
  /** Sources of metrics besides guard and issuer. */
  readonly metrics?: readonly MetricSource[];
  readonly dashboard: Dashboard;
}

/** The admin listener: the status page, health, and actions on the guard of this process. */
export function adminApp(
  service: Service,
  monitor: HealthMonitor,
  { nonce, log, metrics = [], dashboard, ...access }: AdminContext,
): Hono {
  const { clock } = service.platform;
  const app = new Hono();
  addAdminAccess(app, access);
  addGetRoute(app, "/health", async (c) => {
    const health = await monitor.check();
    return c.json(health, health.status === "unavailable" ? 503 : 200);
  });
  addGetRoute(app, "/cache/health", async (c) => {
    const health = await cacheHealthCheck(service.guard);
    return c.json(health, health.status === "unavailable" ? 503 : 200);
  });
  addMetricsRoute(app, service, metrics);
  dashboard.addRoutes(app);
  addDashboardPage(app, async (c) => {
    const page = await adminPage({
      service,
      health: await monitor.check(),
      users: await orNull(clock, async () => await countUsers(service)),
      events: await orNull(clock, async () => await service.store.audit.recent(RECENT_EVENTS)),
      now: clock.now(),
      upMs: process.uptime() * 1000,
      rssBytes: process.memoryUsage.rss(),
    });
    c.header("Content-Security-Policy", contentSecurityPolicy);
    c.header("Referrer-Policy", "no-referrer");
    return c.html(page);
  });
  addGetRoute(app, "/guard/proof", (c) => {
    const challenge = c.req.query("challenge");
    if (isChallenge(challenge)) return c.json({ proof: proveNonce(nonce, challenge) });
    return oauthError(400, "invalid_request", "challenge: must be 32 bytes as base64url");
  });
  addGuardActions(app, service, dashboard.forgetBreaker);
  app.onError((error, c) => {
    if (error instanceof EndpointException) return toWebResponse(error.response);
    // The message of a foreign error may quote a request.
    log.error(`the admin listener could not answer ${c.req.method} ${c.req.routePath}: ${error.name}`);
    return oauthError(500, "server_error", "Something went wrong.");
  });
  app.notFound(() => oauthError(404, "not_found", "There is nothing here."));
  return app;
}

/** The page must load while the store is down, because that is when an operator reads it. */
async function orNull<T>(clock: Clock, read: () => Promise<T>): Promise<T | null> {
  try {
    return await withDeadline(clock, "the store", STORE_DEADLINE_MS, read);
  } catch {
    return null;
  }
}

async function countUsers({ issuer }: Service): Promise<string> {
  const { length } = await issuer.users.list({ limit: USERS_COUNTED });
  return length < USERS_COUNTED ? String(length) : `${length} or more`;
}
