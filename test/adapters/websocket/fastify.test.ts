import assert from "node:assert/strict";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import websocket from "@fastify/websocket";
import { fastify } from "fastify";
import type { WebSocket } from "ws";
import { holdfastWebSocket } from "../../../src/adapters/fastify-websocket.ts";
import type { ProtectOptions } from "../../../src/adapters/ws.ts";
import type { Connections } from "../../../src/connections/index.ts";
import { bearer, connect } from "./client.ts";
import { websocketContract } from "./handshake-contract.ts";
import { faultContract } from "./fault-contract.ts";
import { liveContract } from "./connection-contract.ts";
import { setUp, type Library, type Peer } from "./fixture.ts";

const serverOptions = {
  perMessageDeflate: { threshold: 0 },
  handleProtocols: (offered: Set<string>) => (offered.has("chat") ? "chat" : (false as const)),
};

const library: Library = {
  name: "Fastify",
  hasBodies: true,
  async protect(connections, options) {
    const { tokenFrom, ...rules } = options as ProtectOptions;
    const app = fastify();
    await app.register(websocket);
    await app.register(holdfastWebSocket, {
      connections: connections as Connections,
      ...(tokenFrom && { tokenFrom }),
    });
    return app.protectWebSocket(rules, () => {});
  },
  async serve(t, connections, { tokenFrom, ...rules }, application) {
    let log = "";
    const stream = { write: (line: string) => void (log += line) };
    const app = fastify({ logger: { level: "trace", stream } });
    await app.register(websocket, { options: serverOptions });
    await app.register(holdfastWebSocket, { connections, ...(tokenFrom && { tokenFrom }) });
    app.get(
      "/chat",
      app.protectWebSocket(rules, (socket, request) => {
        const { protocol } = socket;
        const send: Peer["send"] = (data) => socket.send(data);
        const peer: Peer = { auth: request.auth, url: request.url, protocol, send };
        application.opened?.(peer);
        socket.on("message", (data: Buffer, isBinary) => {
          application.received?.(peer, isBinary ? data : data.toString());
        });
        socket.on("close", (code) => application.closed?.(peer, code));
      }),
    );
    t.after(async () => {
      for (const socket of app.websocketServer.clients) socket.terminate();
      await app.close();
    });
    await app.listen({ port: 0, host: "127.0.0.1" });
    return { port: (app.server.address() as AddressInfo).port, log: () => log };
  },
};

websocketContract(library);
liveContract(library);
faultContract(library);

async function plain(t: TestContext) {
  const at = await setUp(t);
  const app = fastify();
  t.after(async () => await app.close());
  await app.register(websocket);
  await app.register(holdfastWebSocket, { connections: at.connections });
  return { at, app, headers: bearer(at.provider.token()) };
}

test("on Fastify a request that is not a handshake gets 404, with or without a token", async (t) => {
  const { app, headers } = await plain(t);
  app.get(
    "/chat",
    app.protectWebSocket({}, () => assert.fail("reached")),
  );
  for (const given of [{}, headers]) {
    const answer = await app.inject({ path: "/chat", headers: given });
    assert.equal(answer.statusCode, 404);
  }
});

test("on Fastify a route works with injectWS", async (t) => {
  const { app, headers } = await plain(t);
  app.get(
    "/chat",
    app.protectWebSocket({}, (socket, request) => socket.send(`hello ${request.auth.auth?.subject}`)),
  );
  await app.ready();
  const heard = Promise.withResolvers<string>();
  const onInit = (socket: WebSocket) => {
    socket.on(
      "message",
      (data: Buffer) => data.toString().startsWith("hello") && heard.resolve(data.toString()),
    );
  };
  const socket = await app.injectWS("/chat", { headers }, { onInit });
  assert.equal(await heard.promise, "hello user");
  socket.terminate();
  await assert.rejects(app.injectWS("/chat"), /401/);
});

test("on Fastify a synchronous or asynchronous error of a handler goes to the error handler of the plugin", async (t) => {
  const at = await setUp(t);
  const app = fastify();
  t.after(async () => await app.close());
  const thrown: string[] = [];
  await app.register(websocket, {
    errorHandler: (error, socket) => {
      thrown.push(error.message);
      socket.terminate();
    },
  });
  await app.register(holdfastWebSocket, {
    connections: at.connections,
    tokenFrom: { firstMessage: true },
  });
  const failing = [
    () => {
      throw new Error("now");
    },
    async () => await Promise.reject(new Error("later")),
  ];
  for (const [i, handler] of failing.entries()) app.get(`/${i}`, app.protectWebSocket({}, handler));
  app.get("/stripped", {
    ...app.protectWebSocket({}, () => assert.fail("reached")),
    onRequest: async () => {},
  });
  await app.listen({ port: 0, host: "127.0.0.1" });
  const { port } = app.server.address() as AddressInfo;
  const token = at.provider.token();
  for (const path of ["/0", "/1"]) {
    await (
      await connect(port, { path, headers: bearer(token) })
    ).closed;
    const late = await connect(port, { path });
    late.present(token);
    await late.closed;
  }
  await (
    await connect(port, { path: "/stripped" })
  ).closed;
  const withoutHook = "protectWebSocket: the route must keep its onRequest hook";
  assert.deepEqual(thrown, ["now", "now", "later", "later", withoutHook]);
  assert.equal(at.connections.status().open, 0);
});

test("on Fastify the plugin requires @fastify/websocket and connections", async () => {
  const options = { connections: {} as Connections };
  await assert.rejects(
    async () => await fastify().register(holdfastWebSocket, options),
    /@fastify\/websocket/,
  );
  const app = fastify();
  await app.register(websocket);
  await assert.rejects(async () => await app.register(holdfastWebSocket, options), {
    code: "missing_method",
  });
});
