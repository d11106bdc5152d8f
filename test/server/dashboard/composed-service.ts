import type { TestContext } from "node:test";
import type { Clock } from "../../../src/core/clock.ts";
import { startDashboard, type Dashboard } from "../../../src/server/dashboard/dashboard-api.ts";
import type { SamplerOptions } from "../../../src/server/dashboard/sampler.ts";
import type { HealthMonitor } from "../../../src/server/health/health-monitor.ts";
import { composeService, type Service } from "../../../src/server/service.ts";
import { openLocalStore } from "../../../src/server/store/local-store.ts";
import { temporarySettings } from "../temporary-settings.ts";

/** The parts of a service on SQLite, without its listeners. */
export async function composedService(t: TestContext, more: Record<string, string> = {}): Promise<Service> {
  const settings = await temporarySettings(more);
  const local = await openLocalStore(settings.dataDir, { create: true, secret: undefined });
  const identity = { url: "https://id.example", audience: "https://api.example" };
  const service = await composeService(local, settings, identity);
  t.after(service.close);
  return service;
}

export function samplerOptions(monitor: HealthMonitor, clock?: Clock): SamplerOptions {
  return {
    monitor,
    metrics: [],
    fallback: { mode: "deny", maxMs: 3_600_000, memoryTtlMs: 300_000 },
    revocationLimitMs: 60_000,
    storeFile: null,
    ...(clock && { clock }),
  };
}

/** The dashboard of these parts, which ends with the test. */
export function testDashboard(t: TestContext, service: Service, monitor: HealthMonitor): Dashboard {
  const roles = new Set(["issuer", "gateway"] as const);
  const dashboard = startDashboard(service, {
    ...samplerOptions(monitor),
    roles,
    settings: [],
    adminAddress: "http://127.0.0.1:4181",
  });
  t.after(dashboard.close);
  return dashboard;
}
