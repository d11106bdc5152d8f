import assert from "node:assert/strict";
import { test } from "node:test";
import { HealthMonitor } from "../../src/server/health/health-monitor.ts";
import { adminApp } from "../../src/server/http/admin-app.ts";
import { publicApp } from "../../src/server/http/public-app.ts";
import { createLogger } from "../../src/server/logs.ts";
import { composeService, type Service } from "../../src/server/service.ts";
import { openStore } from "../../src/server/store/open-store.ts";
import { testDashboard } from "../server/dashboard/composed-service.ts";
import { temporarySettings } from "../server/temporary-settings.ts";
import { endpoints } from "./one-request/endpoints.ts";

type Routes = Pick<ReturnType<typeof adminApp>, "routes">;

/** The routes of an app that answer a method of their own. Those for all methods refuse the other methods. */
function routesOf(listener: "public" | "admin", { routes }: Routes): string[] {
  const own = routes.filter(({ method }) => method !== "ALL");
  return own.map(({ method, path }) => `${listener} ${method} ${path}`);
}

/** The routes of the issuer. A refused method names those that a path has. */
async function issuerRoutes({ issuer, url }: Service): Promise<string[]> {
  const found = await Promise.all(
    issuer.paths.map(async (path) => {
      const { status, headers } = await issuer.fetch(new Request(url + path, { method: "PUT" }));
      assert.equal(status, 405, path);
      const methods = (headers.get("Allow") ?? "").split(", ").filter((method) => method !== "HEAD");
      return methods.map((method) => `public ${method} ${path}`);
    }),
  );
  return found.flat();
}

test("fault 66: the table of costly requests has every route of the service, and no other", async (t) => {
  const settings = await temporarySettings();
  const opened = await openStore(settings, { create: true });
  const url = "https://id.example.com";
  const service = await composeService(opened, settings, { url, audience: url });
  t.after(service.close);
  const health = new HealthMonitor(service, settings.roles);
  const dashboard = testDashboard(t, service, health);
  const access = {
    port: 1,
    isExposed: false,
    token: null,
    nonce: "a",
    log: createLogger("silent"),
    dashboard,
  };
  const served = new Set([
    ...routesOf("public", publicApp(service, health, settings) as unknown as Routes),
    ...routesOf("admin", adminApp(service, health, access)),
    ...(await issuerRoutes(service)),
  ]);
  assert.ok(served.size > 30, `${served.size} routes`);
  const listed = new Set(
    endpoints
      .filter(({ path }) => path !== "/elsewhere" && !path.startsWith("/verify/"))
      .map(({ listener, method, path }) => `${listener} ${method} ${path}`),
  );
  assert.deepEqual([...listed].toSorted(), [...served].toSorted());
});
