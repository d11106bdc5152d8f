import type { ClientClock } from "./types.ts";

/**
 * Runs `work` under a Web Lock. When another page holds the lock for `waitMs`, or the platform has no locks, `work` runs
 * without it. The service answers two refreshes with the same successor, so that is safe.
 */
export async function withLock<T>(
  name: string,
  waitMs: number,
  clock: ClientClock,
  work: () => Promise<T>,
): Promise<T> {
  const locks = globalThis.navigator?.locks as LockManager | undefined;
  if (locks === undefined) return await work();
  let hasStarted = false;
  const abort = new AbortController();
  const cancel = clock.after(waitMs, () => abort.abort());
  try {
    return await locks.request(name, { signal: abort.signal }, async () => {
      hasStarted = true;
      cancel();
      return await work();
    });
  } catch (error) {
    if (hasStarted) throw error;
    return await work();
  } finally {
    cancel();
  }
}
