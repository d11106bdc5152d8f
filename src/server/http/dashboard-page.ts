import type { Context, Hono, HonoRequest } from "hono";
import { dashboardPaths, loadDashboard, type DashboardAssets } from "../dashboard/assets.ts";
import { addGetRoute } from "./get-route.ts";

/** Scripts come from this listener alone, and no text ever becomes script or markup (Trusted Types). */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

const shell = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <meta name="color-scheme" content="light dark" />
    <title>Holdfast</title>
    <link rel="icon" href="data:," />
    <link rel="stylesheet" href="dashboard.css" />
    <script type="module" src="dashboard.js"></script>
    <noscript><meta http-equiv="refresh" content="0; url=?plain" /></noscript>
  </head>
  <body>
    <div id="app"></div>
  </body>
</html>
`;

/** Whether a request may be answered without the token of the listener: it asks for a file of the dashboard, without data. */
export function isDashboardFile({ req }: Context): boolean {
  if (req.method !== "GET" && req.method !== "HEAD") return false;
  return req.path === "/" ? !isPlain(req) : dashboardPaths.some((path) => path === req.path);
}

/**
 * Adds the dashboard at `/`. `plainPage` answers `/?plain`, for browsers without scripts. The browser is sent there, too,
 * when the files of the dashboard cannot be read.
 */
export function addDashboardPage(app: Hono, plainPage: (c: Context) => Promise<Response>): void {
  let loading: Promise<DashboardAssets | null> | undefined;
  const load = async () => await (loading ??= loadDashboard().catch(() => null));
  addGetRoute(app, "/", async (c) => {
    if (isPlain(c.req)) return await plainPage(c);
    if ((await load()) === null) return c.redirect("?plain");
    c.header("Content-Security-Policy", contentSecurityPolicy);
    c.header("Referrer-Policy", "no-referrer");
    return c.html(shell);
  });
  for (const path of dashboardPaths) {
    addGetRoute(app, path, async (c) => {
      const asset = (await load())?.[path];
      if (asset === undefined) return await c.notFound();
      c.header("Content-Type", asset.type);
      c.header("Vary", "Accept-Encoding");
      if (!/\bgzip\b/i.test(c.req.header("accept-encoding") ?? "")) return c.body(asset.text);
      c.header("Content-Encoding", "gzip");
      return c.body(asset.gzipped);
    });
  }
}

function isPlain(request: HonoRequest): boolean {
  return request.query("plain") !== undefined;
}
