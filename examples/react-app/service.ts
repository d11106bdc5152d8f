import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createGuard, jwks } from "holdfast";
import { createConnections } from "holdfast/connections";
import { createIssuer } from "holdfast/issuer";
import { memoryStore } from "holdfast/memory";
import { mountIssuer, protect } from "holdfast/node-http";
import { protect as protectSockets } from "holdfast/ws";
import { WebSocketServer } from "ws";

const passwords = new Map([
  ["alice", "wonderland"],
  ["bob", "builder"],
]);

export interface Service {
  readonly url: string;
  readonly isRunning: () => boolean;
  readonly start: () => Promise<void>;
  /** Refuses connections until the next start. The sessions stay. */
  readonly stop: () => Promise<void>;
}

/** Starts one server with logins, an API and a live feed. Its tokens live for a minute, so that you see them renewed. */
export async function startService(port: number, page: string): Promise<Service> {
  const server = createServer();
  const listen = async (at: number) => {
    server.listen(at, "127.0.0.1");
    await once(server, "listening");
    return (server.address() as AddressInfo).port;
  };
  const bound = await listen(port);
  const url = `http://127.0.0.1:${bound}`;
  const issuer = createIssuer({
    url,
    audience: url,
    store: memoryStore(),
    secret: crypto.randomUUID() + crypto.randomUUID(),
    corsOrigins: [page],
    accessTokenTtlMs: 60_000,
    authenticate: ({ username, password }) =>
      passwords.get(String(username)) === password ? { subject: String(username), scopes: [] } : null,
  });
  const guard = createGuard({
    issuer: url,
    audience: url,
    // The keys come from the same process, also while the server is stopped.
    keys: jwks(`${url}/.well-known/jwks.json`, {
      fetch: async (input, init) => await issuer.fetch(new Request(input, init)),
    }),
    revocations: issuer.revocations,
  });

  const listOrders = protect(guard, {}, ({ auth }, res) => {
    res.setHeader("Content-Type", "application/json");
    res.end(JSON.stringify({ orders: ["tea", "a hat"].map((item) => `${item} for ${auth.subject}`) }));
  });
  const serve = mountIssuer(issuer, {}, (request, res) => {
    res.setHeader("Access-Control-Allow-Origin", page);
    res.setHeader("Access-Control-Allow-Headers", "authorization");
    if (request.method === "OPTIONS") res.writeHead(204).end();
    else if (request.url === "/orders") listOrders(request, res);
    else res.writeHead(404).end();
  });
  server.on("request", serve);

  // A feed warns its clients 20 s before their token expires.
  const connections = createConnections({ guard, warnMs: 20_000 });
  const feed = new WebSocketServer({ noServer: true, maxPayload: 1_024 });
  server.on("upgrade", protectSockets(connections, {}, feed));
  let price = 100;
  setInterval(() => {
    price += Math.round(Math.random() * 10 - 5);
    for (const socket of feed.clients) socket.send(JSON.stringify({ price }));
  }, 500).unref();

  return {
    url,
    isRunning: () => server.listening,
    start: async () => {
      if (!server.listening) await listen(bound);
    },
    stop: async () => {
      if (!server.listening) return;
      const closed = once(server, "close");
      server.close();
      for (const socket of feed.clients) socket.terminate();
      server.closeAllConnections();
      await closed;
    },
  };
}
