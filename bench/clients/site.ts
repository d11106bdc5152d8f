import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import type { BenchClock } from "./bench-clock.ts";
import type { Fault } from "./faults.ts";
import type { AuthServer, ServerOptions } from "./servers/auth-server.ts";

/** A request for a new access token, as the server saw it. */
export interface Refresh {
  readonly at: number;
  readonly fault: string | null;
}

export interface SiteOptions {
  readonly clock: BenchClock;
  readonly lifeMs: number;
  readonly expiresIn?: unknown;
  readonly bundle: string;
  readonly createServer: (options: ServerOptions) => AuthServer;
}

/** Names the tab that sent a request. The browser adds it below the page, so no library and no CORS rule sees it. */
export const tabHeader = "x-bench-tab";

/** The page, the auth server, the API and a foreign origin of one scenario, each on a port of its own. */
export class Site {
  readonly #clock: BenchClock;
  readonly #servers: Server[] = [];
  readonly #held: (() => void)[] = [];
  readonly refreshes: Refresh[] = [];
  /** Requests that reached the API, by status. */
  readonly apiStatuses: number[] = [];
  /** Requests that brought an `Authorization` header to the foreign origin. */
  leaks = 0;
  /** Is applied to each refresh while it is set. */
  fault: Fault | null = null;
  /** The tab whose refreshes meet the fault. `null` when those of every tab do. */
  faultyTab: string | null = null;
  /** Every request to the auth server is cut. */
  isDown = false;
  /** The API refuses every token, for example because of its audience. */
  refusesAll = false;
  auth!: AuthServer;
  origins!: { page: string; auth: string; api: string; foreign: string };

  private constructor(clock: BenchClock) {
    this.#clock = clock;
  }

  static async start(options: SiteOptions): Promise<Site> {
    const site = new Site(options.clock);
    const page = await site.#listen((request, res) => {
      if (request.url === "/peer.js") res.setHeader("Content-Type", "text/javascript").end(options.bundle);
      else if (request.url === "/elsewhere")
        res.setHeader("Content-Type", "text/html").end("<!doctype html>elsewhere");
      else res.setHeader("Content-Type", "text/html").end(site.#html());
    });
    const auth = await site.#listen((request, res, body) => site.#serveAuth(request, res, body));
    const api = await site.#listen((request, res) => site.#serveApi(request, res));
    const foreign = await site.#listen((request, res) => {
      const asks = request.headers["access-control-request-headers"] ?? "";
      if (request.headers.authorization !== undefined || asks.includes("authorization")) site.leaks++;
      allow(request, res);
      res.end("{}");
    });
    site.origins = { page, auth, api, foreign };
    const { clock, lifeMs, expiresIn } = options;
    site.auth = options.createServer({ url: auth, page, clock, lifeMs, expiresIn });
    return site;
  }

  /** Lets the answers go that the fault `hold` keeps. */
  release(): void {
    for (const send of this.#held.splice(0)) send();
  }

  get held(): number {
    return this.#held.length;
  }

  async close(): Promise<void> {
    this.release();
    for (const server of this.#servers) {
      server.close();
      server.closeAllConnections();
    }
    await this.auth.close?.();
  }

  async #listen(
    handle: (request: IncomingMessage, res: ServerResponse, body: string) => unknown,
  ): Promise<string> {
    const serve = async (request: IncomingMessage, res: ServerResponse): Promise<unknown> => {
      const body = await text(request).catch(() => "");
      if (request.method === "OPTIONS" && server !== this.#servers[3]) {
        allow(request, res);
        return res.writeHead(204).end();
      }
      return await handle(request, res, body);
    };
    const server = createServer((request, res) => void serve(request, res));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    this.#servers.push(server);
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  async #serveAuth(request: IncomingMessage, res: ServerResponse, body: string): Promise<void> {
    const [path = "/", method = "GET"] = [request.url, request.method];
    if (path === "/maintenance")
      return await reply(
        request,
        res,
        new Response("<h1>Log in</h1>", { headers: { "Content-Type": "text/html" } }),
      );
    const isRefresh = this.auth.isRefresh({ path, method, body });
    const { faultyTab, isDown } = this;
    const fault = faultyTab === null || faultyTab === request.headers[tabHeader] ? this.fault : null;
    if (isRefresh) this.refreshes.push({ at: this.#clock.now(), fault: fault?.name ?? null });
    if (isDown) return void request.socket.destroy();
    const answer = async () => {
      const headers = new Headers();
      for (const [name, value] of Object.entries(request.headers)) headers.set(name, String(value));
      const init = { method, headers, ...(body !== "" && { body }), redirect: "manual" as const };
      return await this.auth.fetch(new Request(this.origins.auth + path, init));
    };
    if (!isRefresh || fault === null) return await reply(request, res, await answer());
    const response = fault.reaches ? await answer() : null;
    if (fault.act === "cut") request.socket.destroy();
    else if (fault.act === "half" && response !== null) await reply(request, res, response, true);
    else if (fault.act === "hold" && response !== null)
      this.#held.push(() => void reply(request, res, response));
    else if (fault.act === "answer") {
      const { status, headers = {} } = fault;
      await reply(request, res, new Response(fault.body, { status: status ?? 200, headers }));
    }
  }

  async #serveApi(request: IncomingMessage, res: ServerResponse): Promise<void> {
    const headers = new Headers();
    for (const name of ["authorization", "cookie"]) headers.set(name, String(request.headers[name] ?? ""));
    const isIn = !this.refusesAll && (await this.auth.admits(new Request(this.origins.api, { headers })));
    this.apiStatuses.push(isIn ? 200 : 401);
    await reply(request, res, Response.json({ orders: [] }, { status: isIn ? 200 : 401 }));
  }

  #html(): string {
    const config = JSON.stringify(this.origins);
    return `<!doctype html><title>bench</title><link rel="icon" href="data:,"><script>globalThis.origins = ${config}</script><script type="module" src="/peer.js"></script>`;
  }
}

/** Lets every page read the response, with cookies. */
function allow(request: IncomingMessage, res: ServerResponse): void {
  res.setHeader("Access-Control-Allow-Origin", request.headers.origin ?? "*");
  res.setHeader("Access-Control-Allow-Credentials", "true");
  res.setHeader("Access-Control-Expose-Headers", "Retry-After");
  const asks = request.headers["access-control-request-headers"];
  if (asks !== undefined) res.setHeader("Access-Control-Allow-Headers", asks);
  res.setHeader("Access-Control-Allow-Methods", "GET, POST, DELETE");
  res.setHeader("Access-Control-Max-Age", "600");
}

async function reply(
  request: IncomingMessage,
  res: ServerResponse,
  response: Response,
  half = false,
): Promise<void> {
  const body = Buffer.from(await response.arrayBuffer());
  for (const [name, value] of response.headers) {
    if (name !== "set-cookie" && name !== "content-length" && !name.startsWith("access-control-"))
      res.setHeader(name, value);
  }
  const cookies = response.headers.getSetCookie();
  if (cookies.length > 0) res.setHeader("Set-Cookie", cookies);
  res.setHeader("Cache-Control", "no-store");
  allow(request, res);
  if (response.status !== 204 && response.status !== 304) res.setHeader("Content-Length", body.length);
  res.writeHead(response.status);
  if (!half) return void res.end(body);
  res.write(body.subarray(0, Math.floor(body.length / 2)), () => request.socket.destroy());
}
