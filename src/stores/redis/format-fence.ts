import { isHoldfastError } from "../../core/errors.ts";
import type { Clock } from "../../core/clock.ts";
import { FORMAT_LEASE_MS } from "./format.ts";

/** Keeps a process from writing to a store whose format is newer than it knows. */
export type FormatFence =
  /** Every script that writes reads the format from the manifest, which is on the same server. */
  | { readonly manifestKey: string }
  /** The format is on another server of the cluster, and must have been read recently. */
  | ClusterFence;

/** The fence of a cluster. */
export interface ClusterFence {
  /** Rejects with `store_newer` when the format is newer, and with `store_unavailable` when it is unknown. */
  readonly confirm: () => Promise<void>;
  /** Called when a script has found a newer format. Every write then waits for another read of the format. */
  readonly expire: () => void;
}

/** How often the format is read while the process writes, ms. */
const CHECK_MS = 1000;

/**
 * Returns the fence of a cluster. `check` reads the format, and rejects with `store_newer`. A process goes on for
 * `FORMAT_LEASE_MS` when the server that has the format does not answer, because the other servers can still be used.
 */
export function createClusterFence(
  check: () => Promise<unknown>,
  networkClock: Pick<Clock, "monotonic">,
): ClusterFence {
  let attemptedAt = -Infinity;
  let confirmedAt = -Infinity;
  let running: Promise<void> | null = null;

  async function read(): Promise<void> {
    const startedAt = networkClock.monotonic();
    attemptedAt = startedAt;
    try {
      await check();
      confirmedAt = startedAt;
    } finally {
      running = null;
    }
  }

  return {
    expire: () => void (confirmedAt = -Infinity),
    async confirm() {
      const now = networkClock.monotonic();
      const isLeased = now - confirmedAt < FORMAT_LEASE_MS;
      if (isLeased && now - attemptedAt < CHECK_MS) return;
      try {
        await (running ??= read());
      } catch (error) {
        if (isLeased && isHoldfastError(error, "store_unavailable")) return;
        throw error;
      }
    },
  };
}
