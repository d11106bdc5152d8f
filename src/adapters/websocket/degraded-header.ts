import type { IncomingMessage } from "node:http";
import { degradedHeader } from "../http/bearer.ts";

type DegradedCauses = WeakMap<IncomingMessage, string>;

const causesKey: unique symbol = Symbol("holdfast.causes");

/** Where `ws` lets others add to its answer. */
export interface UpgradeServer {
  on(event: "headers", listener: (headers: string[], request: IncomingMessage) => void): unknown;
}

/**
 * Declares on the 101 answer why a request was let in without the authority (law 10): for those that are set here. One
 * for a server, whatever number of endpoints it has.
 */
export function declareDegradedCauses(wss: UpgradeServer & { [causesKey]?: DegradedCauses }): DegradedCauses {
  if (wss[causesKey] !== undefined) return wss[causesKey];
  const causes: DegradedCauses = new WeakMap();
  wss.on("headers", (headers, request) => {
    const cause = causes.get(request);
    if (cause !== undefined) headers.push(`${degradedHeader}: ${cause}`);
  });
  Object.defineProperty(wss, causesKey, { value: causes });
  return causes;
}
