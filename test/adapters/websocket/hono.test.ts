import assert from "node:assert/strict";
import { once } from "node:events";
import type { AddressInfo, Socket } from "node:net";
import { test, type TestContext } from "node:test";
import {
  createAdaptorServer,
  upgradeWebSocket,
  type HttpBindings,
  type WebSocketServerLike,
} from "@hono/node-server";
import { Hono } from "hono";
import { logger } from "hono/logger";
import { WebSocketServer } from "ws";
import { hideTokens, protect, type ProtectOptions } from "../../../src/adapters/hono-websocket.ts";
import type { Connections } from "../../../src/connections/index.ts";
import { bearer, Client, connect, dial, sendHandshake } from "./client.ts";
import { websocketContract } from "./handshake-contract.ts";
import { faultContract } from "./fault-contract.ts";
import { liveContract } from "./connection-contract.ts";
import { setUp, type Library, type Peer } from "./fixture.ts";

const options = {
  noServer: true,
  perMessageDeflate: { threshold: 0 },
  handleProtocols: (offered: Set<string>) => (offered.has("chat") ? "chat" : (false as const)),
};

const library: Library = {
  name: "Hono",
  hasBodies: false,
  protect: async (connections, rules) =>
    protect(connections as Connections, rules as ProtectOptions, upgradeWebSocket, () => ({})),
  async serve(t, connections, rules, application) {
    let log = "";
    const wss = new WebSocketServer(options);
    const app = new Hono();
    app.use(logger((line) => (log += line)));
    app.get(
      "/chat",
      protect(connections, rules, upgradeWebSocket, (c, auth) => {
        let peer: Peer;
        return {
          onOpen(_, ws) {
            const { pathname, search } = new URL(c.req.url);
            const send: Peer["send"] = (data) => ws.send(data as string);
            peer = { auth, url: pathname + search, protocol: ws.protocol ?? "", send };
            application.opened?.(peer);
          },
          onMessage({ data }) {
            const received = typeof data === "string" ? data : Buffer.from(data as ArrayBuffer);
            application.received?.(peer, received);
          },
          onClose: ({ code }) => application.closed?.(peer, code),
        };
      }),
    );
    const fetch = hideTokens(app.fetch, rules.tokenFrom);
    const server = createAdaptorServer({ fetch, websocket: { server: wss as WebSocketServerLike } });
    t.after(async () => {
      for (const socket of wss.clients) socket.terminate();
      server.close();
      await once(server, "close");
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    return { port: (server.address() as AddressInfo).port, log: () => log };
  },
};

websocketContract(library);
liveContract(library);
faultContract(library);

async function routed(t: TestContext, rules: ProtectOptions = {}) {
  const at = await setUp(t);
  const wss = new WebSocketServer({ noServer: true });
  const app = new Hono();
  const errors: string[] = [];
  app.onError((error, c) => {
    errors.push(error.message);
    return c.text("failed", 500);
  });
  app.get(
    "/chat",
    protect(at.connections, rules, upgradeWebSocket, () => assert.fail("reached")),
    () => assert.fail("reached"),
  );
  return { at, wss, app, errors };
}

async function listen(t: TestContext, app: Hono, wss: WebSocketServer): Promise<number> {
  const server = createAdaptorServer({
    fetch: app.fetch,
    websocket: { server: wss as WebSocketServerLike },
  });
  t.after(async () => {
    for (const socket of wss.clients) socket.terminate();
    server.close();
    await once(server, "close");
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return (server.address() as AddressInfo).port;
}

test("on Hono a request that is not a handshake gets 426, and reaches no handler", async (t) => {
  const { at, app } = await routed(t);
  const answer = await app.request("/chat", { headers: bearer(at.provider.token()) });
  assert.deepEqual([answer.status, answer.headers.get("upgrade")], [426, "websocket"]);
});

test("on Hono a handshake on another server than that of @hono/node-server is an error", async (t) => {
  const { at, app, errors } = await routed(t);
  const headers = { ...bearer(at.provider.token()), upgrade: "websocket" };
  assert.equal((await app.request("/chat", { headers })).status, 500);
  assert.deepEqual(errors, ["protect needs the server of @hono/node-server"]);
});

test("on Hono a token in the URL requires hideTokens, so that no log gets it", async (t) => {
  const { at, app, wss, errors } = await routed(t, { tokenFrom: { query: { name: "ticket" } } });
  const port = await listen(t, app, wss);
  const refused = await dial(port, { path: `/chat?ticket=${at.provider.token()}` });
  assert.ok(!(refused instanceof Client) && refused.status === 500);
  assert.deepEqual(errors, ["tokenFrom.query needs hideTokens around the application's fetch"]);
});

test("on Hono an error of createEvents is logged as Hono logs it, and no message is delivered", async (t) => {
  const logged = t.mock.method(console, "error", () => {});
  const { at, app, wss } = await routed(t, { tokenFrom: { firstMessage: true } });
  const port = await listen(t, app, wss);
  const client = await connect(port);
  client.send("x");
  await client.closed;
  const late = await connect(port);
  late.present(at.provider.token());
  assert.equal((await late.told()).type, "auth.ok");
  assert.match(String(logged.mock.calls[0]?.arguments[0]), /reached/);
});

test("fault 52: on Hono the server closes the socket of a refused client that keeps it open", async (t) => {
  const { at, app: routes, wss } = await routed(t);
  const sockets: Socket[] = [];
  const app = new Hono<{ Bindings: HttpBindings }>();
  app.use(async (c, next) => {
    sockets.push(c.env.incoming.socket);
    await next();
  });
  app.route("/", routes);
  const port = await listen(t, app as unknown as Hono, wss);
  const client = await sendHandshake(port, bearer("nonsense"));
  client.allowHalfOpen = true;
  await once(client.resume(), "end");
  const [socket] = sockets as [Socket];
  if (!socket.destroyed) await once(socket, "close", { signal: AbortSignal.timeout(10_000) });
  assert.equal(at.connections.status().open, 0);
  client.destroy();
});
