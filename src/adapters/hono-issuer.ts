import type { IncomingMessage } from "node:http";
import type { Context, MiddlewareHandler } from "hono";
import { isReset } from "./http/client-signal.ts";
import { dropLateChunks } from "./http/late-chunks.ts";
import { readMount, type MountableIssuer, type MountOptions } from "./http/mounted-issuer.ts";

export type { MountableIssuer } from "./http/mounted-issuer.ts";

/** Options of `mountIssuer`. */
export interface HonoMountOptions extends MountOptions {
  /**
   * Returns the address of the connection. Default: that of `@hono/node-server`, Bun and Deno. On another platform, pass
   * its own way, or logins come without an address.
   */
  peer?: (c: Context) => string | undefined;
}

/** Environments that servers pass to the application, as far as they tell the address of the connection. */
interface ServerEnv {
  readonly incoming?: Pick<IncomingMessage, "socket"> & Partial<IncomingMessage>;
  readonly requestIP?: (request: Request) => { readonly address: string } | null;
  readonly remoteAddr?: { readonly hostname?: string };
}

/** The address of the connection under `@hono/node-server`, Bun or Deno. */
function peerOf(c: Context): string | undefined {
  const env = (c.env ?? {}) as ServerEnv;
  return (
    env.incoming?.socket.remoteAddress ?? env.requestIP?.(c.req.raw)?.address ?? env.remoteAddr?.hostname
  );
}

/**
 * Middleware that serves the paths of an issuer, with the address of the client for its login limits. The next handler gets other requests. It works under a path such as `/id/*`, too. Throws `invalid_option` or `missing_method` at once.
 *
 * @example
 * ```ts
 * import { Hono } from "hono";
 * import { mountIssuer } from "holdfast/hono-issuer";
 * import type { Issuer } from "holdfast/issuer";
 *
 * declare const issuer: Issuer;
 *
 * const app = new Hono();
 * app.use(mountIssuer(issuer, { trustedProxies: ["10.0.0.0/8"] }));
 * ```
 */
export function mountIssuer(
  issuer: MountableIssuer,
  { peer = peerOf, ...options }: HonoMountOptions = {},
): MiddlewareHandler {
  const mounted = readMount(issuer, options);
  return async (c, next) => {
    const url = new URL(c.req.raw.url);
    const base = c.req.routePath.replace(/\/?\*$/, "");
    if (base !== "" && url.pathname.startsWith(`${base}/`)) url.pathname = url.pathname.slice(base.length);
    if (!mounted.serves(url.pathname)) return await next();
    const request = url.href === c.req.raw.url ? c.req.raw : new Request(url, c.req.raw);
    const fields = { forwardedFor: c.req.header("x-forwarded-for"), forwarded: c.req.header("forwarded") };
    const source = mounted.addressOf(peer(c), fields);
    const { incoming } = (c.env ?? {}) as ServerEnv;
    if (incoming?.destroy !== undefined) dropLateChunks(incoming as IncomingMessage);
    const wasReset = incoming !== undefined && isReset(incoming.socket);
    return await issuer.fetch(request, {
      source,
      signal: wasReset ? AbortSignal.abort() : c.req.raw.signal,
    });
  };
}
