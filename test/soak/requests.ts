import { MAX_CPU_MS, measureWorstRequests } from "../chaos/one-request/hold-to-bound.ts";
import { startMeasuredService } from "../chaos/one-request/measured-service.ts";
import { redisSettings } from "../support/redis-servers.ts";
import { check, type Figures, type SoakContext } from "./context.ts";

/** Sends the worst requests to a service on the store for `forMs`. */
export async function runRequests({
  deployment,
  random,
  progress,
  forMs,
}: SoakContext & { readonly forMs: number }): Promise<Figures> {
  const { redis } = deployment;
  const service = await startMeasuredService(redis === null ? {} : redisSettings(redis));
  const end = performance.now() + forMs;
  const isOver = () => performance.now() > end;
  let requests = 0;
  let worst = { name: "", cpuMs: 0 };
  try {
    while (!isOver()) {
      const found = await measureWorstRequests({ service, random, share: 0.2, isOver, progress });
      check(
        `a request takes at most ${MAX_CPU_MS} ms: ${found.broken.join("; ")}`,
        found.broken.length === 0,
      );
      requests += found.requests;
      if (found.worst.cpuMs > worst.cpuMs) worst = found.worst;
    }
  } finally {
    await service.stop();
  }
  return { requests, "slowest, ms of processor time": worst.cpuMs.toFixed(1), "slowest request": worst.name };
}
