import { Hono } from "hono";
import { cacheHealthCheck } from "../guard/cache.ts";
import { adminPage, contentSecurityPolicy } from "./admin-page.ts";
import { checkHealth } from "./health.ts";
import { httpAddress } from "./listen.ts";
import type { Service } from "./service.ts";

const RECENT_EVENTS = 20;
const USERS_COUNTED = 1000;

/** What people see of the service. Reads only. */
export function adminApp(service: Service, port: number): Hono {
  // A page elsewhere can make a browser ask for any name that resolves to 127.0.0.1: only our own names count.
  const hosts = new Set(
    ["127.0.0.1", "::1", "localhost"].map((host) => new URL(httpAddress(host, port)).host),
  );
  const app = new Hono();
  app.use(async (c, next) => {
    c.header("Cache-Control", "no-store");
    c.header("X-Content-Type-Options", "nosniff");
    if (!hosts.has(c.req.header("host")?.toLowerCase() ?? "")) {
      return c.json({ error: "misdirected_request", error_description: "ask for localhost" }, 421);
    }
    return await next();
  });
  app.get("/health", async (c) => {
    const health = await checkHealth(service);
    return c.json(health, health.status === "ok" ? 200 : 503);
  });
  app.get("/cache/health", async (c) => {
    const health = await cacheHealthCheck(service.guard);
    return c.json(health, health.status === "unavailable" ? 503 : 200);
  });
  app.get("/", async (c) => {
    const health = await checkHealth(service);
    const reachable = health.components.store.status === "ok";
    const page = await adminPage({
      service,
      health,
      users: reachable ? await countUsers(service) : "not known",
      events: reachable ? await service.store.audit.recent(RECENT_EVENTS) : [],
      now: Date.now(),
      rssBytes: process.memoryUsage.rss(),
    });
    c.header("Content-Security-Policy", contentSecurityPolicy);
    c.header("Referrer-Policy", "no-referrer");
    return c.html(page);
  });
  return app;
}

async function countUsers({ issuer }: Service): Promise<string> {
  const { length } = await issuer.users.list({ limit: USERS_COUNTED });
  return length < USERS_COUNTED ? String(length) : `${length} or more`;
}
