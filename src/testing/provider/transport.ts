import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";

/** Answers one request. A rejection means a failed connection. The signal aborts when the client has gone. */
export type HandleRequest = (request: Request, signal: AbortSignal) => Promise<Response>;

/** Returns a `fetch` that calls `handle` without a network. */
export function createFetch(
  handle: HandleRequest,
): (url: string | URL, init?: RequestInit) => Promise<Response> {
  return async function fetch(url, init) {
    const request = new Request(url, init);
    const signal = init?.signal ?? new AbortController().signal;
    signal.throwIfAborted();
    const response = await handle(request, signal);
    const location = response.headers.get("Location");
    if (location === null || request.redirect === "manual") return response;
    if (request.redirect === "error") throw new TypeError("fetch failed");
    return await fetch(new URL(location, url), init);
  };
}

export interface ProviderServer {
  /** Base address. */
  readonly url: string;
  /** Stops listening and closes all connections. */
  close(): Promise<void>;
}

export async function listenOn(port: number, handle: HandleRequest): Promise<ProviderServer> {
  const server = createServer((req, res) => void respond(handle, req, res));
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      const closed = server[Symbol.asyncDispose]();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function respond(handle: HandleRequest, req: IncomingMessage, res: ServerResponse): Promise<void> {
  const clientGone = new AbortController();
  res.once("close", () => clientGone.abort());
  try {
    const response = await handle(await toRequest(req), clientGone.signal);
    res.writeHead(response.status, Object.fromEntries(response.headers));
    if (response.body === null) {
      res.end();
      return;
    }
    res.flushHeaders();
    await pipeline(Readable.fromWeb(response.body), res);
  } catch {
    req.socket.resetAndDestroy();
  }
}

async function toRequest(req: IncomingMessage): Promise<Request> {
  const { method = "GET", url = "/", headers } = req;
  const pairs = Object.entries(headers).flatMap(([name, value]) =>
    [value ?? []].flat().map((one): [string, string] => [name, one]),
  );
  const body = method === "GET" || method === "HEAD" ? null : await buffer(req);
  return new Request(`http://${headers.host}${url}`, { method, headers: pairs, body });
}
