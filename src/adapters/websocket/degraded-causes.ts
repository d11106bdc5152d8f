import type { IncomingMessage } from "node:http";
import { degradedHeader } from "../bearer.ts";

/** Where `ws` lets others add to its answer. */
export interface Upgrading {
  on(event: "headers", listener: (headers: string[], request: IncomingMessage) => void): unknown;
}

/** Declares on the 101 answer why a request was let in without the authority (law 10): for those that are set here. */
export function degradedCauses(wss: Upgrading): WeakMap<IncomingMessage, string> {
  const causes = new WeakMap<IncomingMessage, string>();
  wss.on("headers", (headers, request) => {
    const cause = causes.get(request);
    if (cause !== undefined) headers.push(`${degradedHeader}: ${cause}`);
  });
  return causes;
}
