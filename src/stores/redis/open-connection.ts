import type { RedisAddress } from "./address.ts";
import { connectClient } from "./client.ts";
import { RedisConnection, type RedisConnectionOptions } from "./connection.ts";
import { toStoreError } from "./errors.ts";

/** Where and how to connect. */
export interface OpenConnectionOptions extends RedisConnectionOptions {
  readonly address: RedisAddress;
  readonly random: () => number;
  /** How long one attempt to open lasts. */
  readonly openTimeoutMs: number;
}

/**
 * Opens a connection. Rejects with `store_unavailable` after `openTimeoutMs`. `onInterruption` is called when a
 * connection failed or another server took over, because acknowledged writes may have been lost.
 */
export async function openConnection(
  options: OpenConnectionOptions,
  onInterruption: () => void = () => {},
): Promise<RedisConnection> {
  const { address, random, openTimeoutMs, clock, description } = options;
  let interruptions = 0;
  const open = async () => {
    const timeout = new AbortController();
    let lastError: unknown = new Error(`no connection within ${openTimeoutMs} ms`);
    const countInterruption = (error: unknown) => {
      if (error instanceof Error) lastError = error;
      interruptions++;
      onInterruption();
    };
    const stop = clock.after(openTimeoutMs, () => timeout.abort(lastError), true);
    try {
      return await connectClient(address, { random, onInterruption: countInterruption }, timeout.signal);
    } catch (error) {
      throw toStoreError(description, error);
    } finally {
      stop();
    }
  };
  return await RedisConnection.open(open, options, () => interruptions);
}
