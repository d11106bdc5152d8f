import type { IncomingMessage, ServerResponse } from "node:http";
import {
  createIssuerListener,
  readMount,
  type MountableIssuer,
  type MountOptions,
} from "./http/mounted-issuer.ts";

export * from "./node-http/protect.ts";
export type { MountableIssuer, MountOptions } from "./http/mounted-issuer.ts";

/**
 * Serves an issuer, with the address of the client for its login limits. `handler` gets the requests for other paths.
 * Without it, the issuer answers them with 404. Throws `invalid_option` or `missing_method` at once.
 *
 * @example
 * ```ts
 * import { createServer } from "node:http";
 * import type { Issuer } from "holdfast/issuer";
 * import { mountIssuer } from "holdfast/node-http";
 *
 * declare const issuer: Issuer;
 *
 * createServer(mountIssuer(issuer)).listen(3000);
 * ```
 */
export function mountIssuer(
  issuer: MountableIssuer,
  options: MountOptions = {},
  handler?: (req: IncomingMessage, res: ServerResponse) => unknown,
): (req: IncomingMessage, res: ServerResponse) => void {
  const mounted = readMount(issuer, options);
  const listener = createIssuerListener(issuer, mounted);
  return (req, res) => {
    if (handler !== undefined && !mounted.serves(req.url ?? "")) handler(req, res);
    else listener(req, res);
  };
}
