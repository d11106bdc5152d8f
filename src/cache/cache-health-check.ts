import type { Guard, GuardStatus } from "../guard/types.ts";

export interface CacheHealth {
  /** `unavailable`: no token can get a definite answer. */
  readonly status: "ok" | "degraded" | "unavailable";
  readonly components: Pick<GuardStatus, "issuers" | "memory">;
}

/** How a guard's caches are. */
export async function cacheHealthCheck(guard: Pick<Guard, "status">): Promise<CacheHealth> {
  const { state, issuers, memory } = await Promise.resolve(guard.status());
  const status = state === "ready" ? "ok" : state === "degraded" ? "degraded" : "unavailable";
  return { status, components: { issuers, memory } };
}
