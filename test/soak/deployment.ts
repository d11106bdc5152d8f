import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { RedisServer } from "../support/redis-servers.ts";
import { startService, type ServiceProcess } from "../support/service-process.ts";

const slowService = fileURLToPath(new URL("slow-service.ts", import.meta.url));

/** A store that services run on, and the services that do. */
export interface Deployment {
  readonly name: "SQLite" | "Redis";
  /** The store's own process, where it has one. */
  readonly store?: { kill(): Promise<void>; up(): Promise<void> };
  /** Of each command at the store, up to so much before and after it. Without: as it is. */
  start(latencyMs?: number): Promise<ServiceProcess>;
  stopServices(): Promise<void>;
  /** Stops all that runs and removes all that was written. */
  close(): Promise<void>;
}

export async function openDeployment(name: Deployment["name"]): Promise<Deployment> {
  const folder = await mkdtemp(join(tmpdir(), "holdfast-soak-"));
  const redis = name === "Redis" ? await RedisServer.start() : null;
  const running = new Set<ServiceProcess>();
  const stopServices = async () => {
    await Promise.all([...running].map(async (service) => await service.stop("SIGKILL")));
    running.clear();
  };
  return {
    name,
    ...(redis !== null && { store: redis }),
    async start(latencyMs = 0) {
      const settings: Record<string, string> = { SOAK_LATENCY_MS: String(latencyMs) };
      if (redis !== null) settings["REDIS_URL"] = redis.url;
      const plain = redis === null && latencyMs === 0;
      // Not the same data: what `holdfast serve` wrote belongs to a secret of its own.
      const service = plain
        ? await startService(join(folder, "data"))
        : await startService(join(folder, "slow"), settings, [slowService]);
      running.add(service);
      return service;
    },
    stopServices,
    async close() {
      await stopServices();
      await redis?.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
