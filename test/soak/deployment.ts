import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { RedisServer } from "../support/redis-servers.ts";
import { startService, type ServiceProcess } from "../support/service-process.ts";

const slowService = fileURLToPath(new URL("slow-service.ts", import.meta.url));

/** A store, and the services that run on it. */
export interface Deployment {
  readonly name: "SQLite" | "Redis";
  /** The process of the store. `null` for a file. */
  readonly redis: RedisServer | null;
  /** Starts a service. Each of its commands at the store waits up to `latencyMs` before and after its effect. */
  start(latencyMs?: number): Promise<ServiceProcess>;
  stopServices(): Promise<void>;
  /** Stops all processes and removes all data. */
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
    redis,
    async start(latencyMs = 0) {
      const settings: Record<string, string> = { SOAK_LATENCY_MS: String(latencyMs) };
      if (redis !== null) settings["REDIS_URL"] = redis.url;
      const plain = redis === null && latencyMs === 0;
      // The data folders differ, because the data of `holdfast serve` belongs to another secret.
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
