import type { FastifyInstance } from "fastify";
import { setUpPlugin } from "./fastify/plugin.ts";
import {
  createIssuerListener,
  readMount,
  type MountableIssuer,
  type MountOptions,
} from "./http/mounted-issuer.ts";

export * from "./fastify/protect.ts";
export type { MountableIssuer, MountOptions } from "./http/mounted-issuer.ts";

/**
 * A plugin that serves the paths of an issuer, with the address of the client for its login limits. It works under a
 * `prefix`, too. The response bypasses `onSend` hooks, and keeps headers that earlier hooks have set. The plugin does not
 * read the body, so body parsers of the application do not see it. Throws `invalid_option` or `missing_method` at once.
 *
 * @example
 * ```ts
 * import { fastify } from "fastify";
 * import { mountIssuer } from "holdfast/fastify";
 * import type { Issuer } from "holdfast/issuer";
 *
 * declare const issuer: Issuer;
 *
 * const app = fastify();
 * await app.register(mountIssuer(issuer, { trustedProxies: ["10.0.0.0/8"] }));
 * ```
 */
export function mountIssuer(
  issuer: MountableIssuer,
  options: MountOptions = {},
): (app: FastifyInstance, pluginOptions: object, done: (error?: Error) => void) => void {
  const listener = createIssuerListener(issuer, readMount(issuer, options));
  return (app, _, done) => {
    setUpPlugin(() => {
      app.removeAllContentTypeParsers();
      // The issuer reads the body as a stream, with limits of size and time.
      app.addContentTypeParser("*", (_request, _payload, parsed) => parsed(null));
      for (const path of issuer.paths) {
        app.all(path, (request, reply) => {
          reply.hijack();
          const { raw } = request;
          const response = reply.raw;
          for (const [name, value] of Object.entries(reply.getHeaders())) {
            if (value !== undefined) response.setHeader(name, value);
          }
          const { url = "" } = raw;
          raw.url = url.slice(app.prefix.length);
          response.once("close", () => (raw.url = url));
          listener(raw, response);
        });
      }
    }, done);
  };
}
