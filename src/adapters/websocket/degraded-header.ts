import type { IncomingMessage } from "node:http";
import { degradedHeader } from "../http/bearer-response.ts";

type DegradedCauses = WeakMap<IncomingMessage, string>;

const causesKey: unique symbol = Symbol("holdfast.causes");

/** The server of `ws`, which emits the headers of its 101 response before it sends them. */
export interface UpgradeServer {
  on(event: "headers", listener: (headers: string[], request: IncomingMessage) => void): unknown;
}

/**
 * Returns the causes of this server's degraded handshakes. A request with an entry gets the header `X-Auth-Degraded` on its
 * 101 response (law 10). All endpoints of one server share one map and one listener.
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
