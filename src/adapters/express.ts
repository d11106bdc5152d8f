import type { IncomingMessage, ServerResponse } from "node:http";
import {
  createIssuerListener,
  readMount,
  type MountableIssuer,
  type MountOptions,
} from "./http/mounted-issuer.ts";

export * from "./express/protect.ts";
export type { MountableIssuer, MountOptions } from "./http/mounted-issuer.ts";

/**
 * Middleware that serves the paths of an issuer, with the address of the client for its login limits. The next handler gets other requests. It may stand before or behind a body parser. Throws `invalid_option` or `missing_method` at once.
 *
 * @example
 * ```ts
 * import express from "express";
 * import { mountIssuer } from "holdfast/express";
 * import type { Issuer } from "holdfast/issuer";
 *
 * declare const issuer: Issuer;
 *
 * const app = express();
 * app.use(mountIssuer(issuer, { trustedProxies: ["10.0.0.0/8"] }));
 * ```
 */
export function mountIssuer(
  issuer: MountableIssuer,
  options: MountOptions = {},
): (req: IncomingMessage, res: ServerResponse, next: () => void) => void {
  const mounted = readMount(issuer, options);
  const listener = createIssuerListener(issuer, mounted);
  return (req, res, next) => {
    if (mounted.serves(req.url ?? "")) listener(req, res);
    else next();
  };
}
