import { connectClient } from "./client.ts";
import { toStoreError } from "./errors.ts";
import { RedisConnection, type RedisConnectionOptions } from "./connection.ts";
import type { RedisAddress } from "./address.ts";

export interface OpenConnectionOptions extends RedisConnectionOptions {
  readonly address: RedisAddress;
  readonly random: () => number;
  /** How long opening tries to connect. */
  readonly openTimeoutMs: number;
}

/** `disturbed` is told when a connection failed or another server took over: writes may have been lost with it. */
export async function openConnection(
  source: OpenConnectionOptions,
  onInterruption: () => void = () => {},
): Promise<RedisConnection> {
  const { address, random, openTimeoutMs, clock, description } = source;
  let disturbances = 0;
  const open = async () => {
    const over = new AbortController();
    let lastError: unknown = new Error(`no connection within ${openTimeoutMs} ms`);
    const onDisturbance = (error: unknown) => {
      if (error instanceof Error) lastError = error;
      disturbances++;
      onInterruption();
    };
    const stop = clock.after(openTimeoutMs, () => over.abort(lastError), true);
    try {
      return await connectClient(address, { random, onInterruption: onDisturbance }, over.signal);
    } catch (error) {
      throw toStoreError(description, error);
    } finally {
      stop();
    }
  };
  return await RedisConnection.open(open, source, () => disturbances);
}
