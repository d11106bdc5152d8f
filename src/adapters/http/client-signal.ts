import type { Socket } from "node:net";

/**
 * Whether the client reset the connection before Node accepted it, as after a pause of the process. The socket is not
 * destroyed yet, and has no remote address. A Unix socket has no local address either.
 */
export function isReset({ remoteAddress, localAddress }: Partial<Socket>): boolean {
  return remoteAddress === undefined && localAddress !== undefined;
}

/** The side of a client that emits `event` when the client goes away. */
export interface ClientEvents<Event extends string> {
  once(event: Event, listener: () => void): unknown;
  off(event: Event, listener: () => void): unknown;
}

/**
 * Calls `run` with a signal that aborts when the client goes away. The listeners are removed when `run` settles. `isGone`
 * says whether the client is gone already. `client` is `undefined` when nothing tells that the client goes away.
 */
export async function withClientSignal<T, Event extends string>(
  client: ClientEvents<Event> | undefined,
  events: readonly Event[],
  isGone: boolean,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const abort = () => controller.abort();
  if (isGone) abort();
  for (const event of events) client?.once(event, abort);
  try {
    return await run(controller.signal);
  } finally {
    for (const event of events) client?.off(event, abort);
  }
}
