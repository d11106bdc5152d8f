import type { GuardStatus } from "../guard/status-types.ts";
import type { Guard } from "../guard/types.ts";

/** The state of a guard's caches. */
export interface CacheHealth {
  /** The status is `unavailable` when the guard cannot decide on any token. */
  readonly status: "ok" | "degraded" | "unavailable";
  readonly components: Pick<GuardStatus, "issuers" | "memory">;
}

/**
 * Returns the state of a guard's key sets and result cache, for a health endpoint.
 *
 * @example
 * ```ts
 * import type { Guard } from "holdfast";
 * import { cacheHealthCheck } from "holdfast/cache";
 *
 * declare const guard: Guard;
 *
 * const { status } = await cacheHealthCheck(guard);
 * console.log(status === "unavailable" ? 503 : 200);
 * ```
 */
export async function cacheHealthCheck(guard: Pick<Guard, "status">): Promise<CacheHealth> {
  const { state, issuers, memory } = await Promise.resolve(guard.status());
  const status = state === "ready" ? "ok" : state === "degraded" ? "degraded" : "unavailable";
  return { status, components: { issuers, memory } };
}
