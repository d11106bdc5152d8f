import type { IncomingMessage } from "node:http";
import { degradedHeader } from "../bearer.ts";

type Causes = WeakMap<IncomingMessage, string>;

const kept: unique symbol = Symbol("holdfast.causes");

/** Where `ws` lets others add to its answer. */
export interface Upgrading {
  on(event: "headers", listener: (headers: string[], request: IncomingMessage) => void): unknown;
}

/**
 * Declares on the 101 answer why a request was let in without the authority (law 10): for those that are set here. One
 * for a server, whatever number of endpoints it has.
 */
export function degradedCauses(wss: Upgrading & { [kept]?: Causes }): Causes {
  if (wss[kept] !== undefined) return wss[kept];
  const causes: Causes = new WeakMap();
  wss.on("headers", (headers, request) => {
    const cause = causes.get(request);
    if (cause !== undefined) headers.push(`${degradedHeader}: ${cause}`);
  });
  Object.defineProperty(wss, kept, { value: causes });
  return causes;
}
