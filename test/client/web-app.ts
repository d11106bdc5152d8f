import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import { build, type BuildOptions } from "esbuild";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { protect, mountIssuer } from "../../src/adapters/node-http.ts";
import { createGuard, jwks, type Guard } from "../../src/index.ts";
import { createIssuer, type Issuer } from "../../src/issuer/index.ts";
import { memoryStore } from "../../src/stores/memory.ts";

export interface WebAppOptions {
  /** The files of the page's origin, by path. `/page.js` is its script. */
  readonly files: Readonly<Record<string, string>>;
  /** Answers a request of the API whose token is valid. Default: the subject, as JSON. */
  readonly api?: (request: IncomingMessage & { auth: { subject: string } }, res: ServerResponse) => void;
}

/** An issuer, an API behind a guard, and a page, each on an origin of its own. */
export interface WebApp {
  readonly context: BrowserContext;
  readonly origins: { readonly page: string; readonly id: string; readonly api: string };
  readonly issuer: Issuer;
  readonly guard: Guard;
  readonly apiServer: Server;
  /** Requests to the endpoints of sessions, as `METHOD path`. */
  readonly requests: string[];
  /** Statuses of the API, in order. */
  readonly statuses: number[];
  /** The API refuses as many tokens as this, although they are valid. */
  refusals: number;
  /** Opens the page. An error in its console fails the test. */
  open(): Promise<Page>;
}

/** Bundles a script for a page, as an application does. */
export async function bundle(options: BuildOptions): Promise<string> {
  const { outputFiles } = await build({
    bundle: true,
    write: false,
    format: "esm",
    conditions: ["holdfast-source"],
    define: { "process.env.NODE_ENV": '"development"' },
    logLevel: "error",
    ...options,
  });
  return outputFiles?.[0]?.text ?? "";
}

const html = `<!doctype html><title>page</title><link rel="icon" href="data:,"><div id="root"></div><script type="module" src="/page.js"></script>`;

async function listen(server: Server): Promise<string> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function allowPage(res: ServerResponse, page: string): void {
  res.setHeader("Access-Control-Allow-Origin", page);
  res.setHeader("Access-Control-Allow-Headers", "authorization, content-type, trpc-accept");
}

/** Starts the three servers and a browser context. The end of the test closes them. */
export async function startWebApp(t: TestContext, browser: Browser, options: WebAppOptions): Promise<WebApp> {
  const pageServer = createServer((request, res) => {
    const script = options.files[request.url ?? ""];
    res.setHeader("Content-Type", script === undefined ? "text/html" : "text/javascript");
    res.end(script ?? html);
  });
  const [idServer, apiServer] = [createServer(), createServer()];
  const page = await listen(pageServer);
  const id = await listen(idServer);
  const api = await listen(apiServer);
  const issuer = createIssuer({
    url: id,
    audience: api,
    store: memoryStore(),
    secret: "a secret of these tests with more than 32 bytes",
    authenticate: ({ username }) => ({ subject: String(username), scopes: [] }),
    corsOrigins: [page],
  });
  const requests: string[] = [];
  const serveId = mountIssuer(issuer);
  idServer.on("request", (request: IncomingMessage, res: ServerResponse) => {
    if (request.method !== "OPTIONS" && request.url?.startsWith("/auth/") === true) {
      requests.push(`${request.method} ${request.url}`);
    }
    serveId(request, res);
  });
  const guard = createGuard({ issuer: id, audience: api, keys: jwks(`${id}/.well-known/jwks.json`) });
  await guard.ready();
  const context = await browser.newContext();
  const errors: string[] = [];
  const app: WebApp = {
    context,
    origins: { page, id, api },
    issuer,
    guard,
    apiServer,
    requests,
    statuses: [],
    refusals: 0,
    async open() {
      const tab = await context.newPage();
      tab.on("pageerror", (error) => errors.push(String(error)));
      tab.on("console", (message) => {
        // Chromium reports each refused request. The tests provoke refusals.
        const isRefusal = message.text().includes("status of 401");
        if (message.type() === "error" && !isRefusal) errors.push(message.text());
      });
      await tab.goto(`${page}/?${new URLSearchParams({ id, api }).toString()}`);
      return tab;
    },
  };
  const answer =
    options.api ?? ((request, res) => res.end(JSON.stringify({ subject: request.auth.subject })));
  const protectedApi = protect(guard, {}, (request, res) => answer(request, res));
  apiServer.on("request", (request: IncomingMessage, res: ServerResponse) => {
    allowPage(res, page);
    if (request.method === "OPTIONS") return res.writeHead(204).end();
    res.on("finish", () => app.statuses.push(res.statusCode));
    if (app.refusals === 0) return protectedApi(request, res);
    app.refusals--;
    return res.writeHead(401).end();
  });
  t.after(async () => {
    await context.close();
    for (const server of [pageServer, idServer, apiServer]) {
      server.close();
      server.closeAllConnections();
    }
    await guard.close();
    await issuer.close();
    assert.deepEqual(errors, []);
  });
  return app;
}
