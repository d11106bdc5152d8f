import { fileURLToPath } from "node:url";

const service = `http://127.0.0.1:${process.env.AUTH_PORT ?? 4180}`;

/** The service answers below the origin of the page, so its cookies belong to the page. */
export default {
  rewrites: async () => [{ source: "/auth/:path*", destination: `${service}/auth/:path*` }],
  turbopack: { root: fileURLToPath(new URL(".", import.meta.url)) },
};
