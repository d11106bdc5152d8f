import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import { buildSync } from "esbuild";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { WebSocketServer } from "ws";
import { toRequestListener } from "../../src/adapters/http/fetch-listener.ts";
import { protect } from "../../src/adapters/ws.ts";
import { createConnections } from "../../src/connections/index.ts";
import { systemClock, type Clock } from "../../src/core/clock.ts";
import { createGuard, staticKeys } from "../../src/index.ts";
import { createIssuer } from "../../src/issuer/index.ts";
import { memoryStore } from "../../src/stores/memory.ts";

/** What happens to a request of the service: `pass` sends it to the issuer and answers. */
export type Fault = (res: ServerResponse, pass: () => void) => void;

/** A service, an API with a WebSocket, and a page that uses both. */
export interface Site {
  readonly id: string;
  readonly api: string;
  readonly app: string;
  /** The paths of all requests to the service but preflights, in order. */
  readonly sent: string[];
  /** The statuses of the API's answers. */
  readonly apiAnswers: number[];
  /** What the API saw in `Authorization`. */
  readonly tokens: Set<string>;
  /** Faults by path. */
  readonly faults: Map<string, Fault>;
  /** The answer of the API instead of the guard's. */
  apiFault: number | null;
  /** How far the clock of the service is ahead, in milliseconds. */
  readonly time: { aheadMs: number };
  hasAlarm(): Promise<boolean>;
  liveSessions(): Promise<number>;
  /** Ends all sessions of the user `ann`. */
  endSessions(): Promise<void>;
  readonly connections: ReturnType<typeof createConnections>;
  readonly sockets: WebSocketServer;
  /** Whether handshakes are refused with 503. */
  refusesSockets: boolean;
  /** How many handshakes were refused so. */
  refusedSockets: number;
  count(path: string): number;
}

const bundle = buildSync({
  stdin: {
    contents: `import * as client from "./src/client/index.ts"; Object.assign(globalThis, client);`,
    resolveDir: new URL("../..", import.meta.url).pathname,
  },
  bundle: true,
  format: "iife",
  target: "es2022",
  write: false,
}).outputFiles[0]?.contents;

/**
 * The page. `open(options)` creates the client with clocks that a test can shift. `tell` makes an outcome of a call that
 * can cross to the test, and `recovered()` resolves with the first token after a fault.
 */
const page = (site: {
  id: string;
  api: string;
}) => `<!doctype html><title>app</title><link rel="icon" href="data:,">
<script src="/client.js"></script><script>
  globalThis.shift = { wall: 0, monotonic: 0 };
  globalThis.open = (options = {}) => (globalThis.auth = createAuthClient({
    baseUrl: ${JSON.stringify(site.id)}, origins: [${JSON.stringify(site.api)}], timeoutMs: 1500,
    clock: {
      now: () => Date.now() + shift.wall,
      monotonic: () => performance.now() + shift.monotonic,
      after(ms, fn) { const timer = setTimeout(fn, ms); return () => clearTimeout(timer); },
    },
    ...options,
  }));
  globalThis.recovered = () => auth.accessToken().catch((error) => {
    if (error.name === "Ended") throw error;
    return new Promise((resolve) => setTimeout(resolve, 50)).then(recovered);
  });
  globalThis.tell = (promise) => promise.then(
    (value) => (value === undefined ? "ok" : value),
    (error) => error.name + ": " + error.cause);
</script>`;

/** Starts the site. Its parts close after the test. With `hasCookies` its page may keep the session in cookies. */
export async function startSite(
  t: TestContext,
  options: Partial<Parameters<typeof createIssuer>[0]> = {},
  hasCookies = false,
): Promise<Site> {
  const parts = new AbortController();
  t.after(() => parts.abort());
  const time = { aheadMs: 0 };
  const listen = async (listener: RequestListener) => {
    const server = createServer(listener).listen(0, "127.0.0.1");
    await once(server, "listening");
    parts.signal.addEventListener("abort", () => {
      server.close();
      server.closeAllConnections();
    });
    return { server, origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
  };
  let serveId: RequestListener = () => undefined;
  let serveApi: RequestListener = () => undefined;
  const id = await listen((req, res) => serveId(req, res));
  const api = await listen((req, res) => serveApi(req, res));
  const app = await listen((req, res) => {
    const isScript = req.url === "/client.js";
    res.setHeader("Content-Type", isScript ? "text/javascript" : "text/html");
    res.end(isScript ? bundle : page({ id: id.origin, api: api.origin }));
  });
  const clock: Clock = { ...systemClock, now: () => Date.now() + time.aheadMs };
  const store = memoryStore({ clock });
  const issuer = createIssuer({
    url: id.origin,
    audience: api.origin,
    store,
    secret: "a secret of these tests with more than 32 bytes",
    authenticate: ({ username }) => ({ subject: String(username), scopes: [] }),
    corsOrigins: [app.origin],
    clock,
    ...(hasCookies && { cookies: { origins: [app.origin] } }),
    ...options,
  });
  const keySet = await issuer.fetch(new Request(`${id.origin}/.well-known/jwks.json`));
  const keys = staticKeys((await keySet.json()) as Parameters<typeof staticKeys>[0]);
  const guard = createGuard({
    issuer: id.origin,
    audience: api.origin,
    keys,
    revocations: issuer.revocations,
    clock,
  });
  const connections = createConnections({ guard });
  const sockets = new WebSocketServer({ noServer: true });
  const upgrade = protect(connections, { tokenFrom: { firstMessage: true } }, sockets, (socket) => {
    socket.on("message", (data) => socket.send(`echo ${(data as Buffer).toString()}`));
  });
  api.server.on("upgrade", (req, socket, head: Buffer) => {
    if (!site.refusesSockets) return upgrade(req, socket, head);
    site.refusedSockets++;
    socket.end("HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n\r\n");
  });
  const site: Site = {
    id: id.origin,
    api: api.origin,
    app: app.origin,
    sent: [],
    apiAnswers: [],
    tokens: new Set(),
    faults: new Map(),
    apiFault: null,
    time,
    hasAlarm: async () => (await store.audit.recent(100)).some(({ kind }) => kind === "refresh_reuse"),
    liveSessions: async () => (await store.sessions.listBySubject("ann", { limit: 100 })).sessions.length,
    endSessions: async () => await issuer.revoke({ kind: "subject", id: "ann" }),
    connections,
    sockets,
    refusesSockets: false,
    refusedSockets: 0,
    count: (path) => site.sent.filter((one) => one === path).length,
  };
  const serveIssuer = toRequestListener(async (request) => await issuer.fetch(request));
  serveId = (req, res) => {
    const path = req.url?.split("?", 1)[0] ?? "";
    if (req.method === "OPTIONS") return serveIssuer(req, res);
    site.sent.push(path);
    const fault = site.faults.get(path);
    if (fault === undefined) return serveIssuer(req, res);
    res.setHeader("Access-Control-Allow-Origin", app.origin);
    res.setHeader("Access-Control-Expose-Headers", "Retry-After");
    return fault(res, () => serveIssuer(req, res));
  };
  serveApi = (req, res) => void answerApi(req, res);
  async function answerApi(req: IncomingMessage, res: ServerResponse): Promise<void> {
    res.setHeader("Access-Control-Allow-Origin", app.origin);
    res.setHeader("Access-Control-Allow-Headers", "authorization, content-type");
    res.setHeader("Access-Control-Allow-Methods", "GET, POST, PUT");
    if (req.method === "OPTIONS") return void res.writeHead(204).end();
    const token = req.headers.authorization?.replace("Bearer ", "") ?? "";
    site.tokens.add(token);
    const { status } = await guard.validate(token);
    const code = site.apiFault ?? (status === "valid" ? 200 : status === "invalid" ? 401 : 503);
    site.apiAnswers.push(code);
    let body = "";
    for await (const chunk of req) body += String(chunk);
    res.writeHead(code).end(`${req.method} ${body}`);
  }
  t.after(async () => {
    for (const socket of sockets.clients) socket.terminate();
    await connections.close();
    await guard.close();
    await issuer.close();
  });
  return site;
}

/** Opens a tab whose client is created. `prepare` runs before every script of the page. */
export async function openTab(
  context: BrowserContext,
  site: Site,
  { prepare, options = "{}" }: { prepare?: string; options?: string } = {},
): Promise<Page> {
  const tab = await context.newPage();
  if (prepare !== undefined) await tab.addInitScript(prepare);
  await tab.goto(site.app);
  await tab.evaluate(`open(${options}); auth.ready`);
  return tab;
}

/** Opens a browser profile, which is closed after the test. */
export async function newProfile(t: TestContext, browser: Browser): Promise<BrowserContext> {
  const context = await browser.newContext();
  t.after(async () => await context.close());
  return context;
}

/** Lets the clocks of the service and of tabs advance without waiting. A device that sleeps stops its monotonic clock. */
export async function sleep(site: Site, ms: number, ...tabs: Page[]): Promise<void> {
  site.time.aheadMs += ms;
  for (const tab of tabs) await tab.evaluate(`shift.wall += ${ms}`);
}

/** Calls of the page, whose outcome is `Unavailable: timeout` and the like when they reject. */
export const call: {
  login: (tab: Page, username?: string) => Promise<string>;
  token: (tab: Page, options?: string) => Promise<string>;
  logout: (tab: Page) => Promise<string>;
  state: (tab: Page) => Promise<Record<string, unknown>>;
} = {
  login: async (tab: Page, username = "ann") =>
    await tab.evaluate<string>(`tell(auth.login({ username: "${username}", password: "-" }))`),
  token: async (tab: Page, options = "{}") =>
    await tab.evaluate<string>(`tell(auth.accessToken(${options}))`),
  logout: async (tab: Page) => await tab.evaluate<string>(`tell(auth.logout())`),
  state: async (tab: Page) => await tab.evaluate<Record<string, unknown>>(`auth.state`),
};
