import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { text as readAll } from "node:stream/consumers";
import { test, type TestContext } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { createWebSocketStream, WebSocket, WebSocketServer } from "ws";
import { protect, type ConnectedRequest, type ProtectOptions } from "../../../src/adapters/ws.ts";
import type { Connections } from "../../../src/connections/index.ts";
import { bearer, connect, sendHandshake } from "./client.ts";
import { setUp } from "./fixture.ts";

type Handler = (socket: WebSocket, request: ConnectedRequest) => unknown;

async function serve(t: TestContext, connections: Connections, options: ProtectOptions, handler?: Handler) {
  const server = createServer();
  const wss = new WebSocketServer({ noServer: true });
  server.on("upgrade", protect(connections, options, wss, handler));
  t.after(async () => {
    for (const socket of wss.clients) socket.terminate();
    await server[Symbol.asyncDispose]();
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return { server, wss, port: (server.address() as AddressInfo).port };
}

/** Returns a text frame of a client. Its mask is zero, so the payload stays readable. */
function frame(text: string): Buffer {
  const payload = Buffer.from(text);
  return Buffer.concat([Buffer.from([0x81, 0x80 | payload.length, 0, 0, 0, 0]), payload]);
}

const firstMessage = { tokenFrom: { firstMessage: true } };

test("the server emits connection with the same socket and request as the handler gets", async (t) => {
  const at = await setUp(t);
  const { wss, port } = await serve(t, at.connections, {}, (...heard) => void calls.push(heard));
  const calls: unknown[][] = [];
  wss.on("connection", (...heard) => void calls.push(heard));
  await (await connect(port, { headers: bearer(at.provider.token()) })).told();
  assert.equal(calls.length, 2);
  assert.equal(calls[0]?.[0], calls[1]?.[0]);
  assert.equal(calls[0]?.[1], calls[1]?.[1]);
  assert.ok(calls[0]?.[0] instanceof WebSocket);
  const [, request] = calls[0] as [WebSocket, ConnectedRequest];
  assert.equal(request.auth.state, "open");
});

test("a message right after the handshake is not lost while the token is checked", async (t) => {
  const at = await setUp(t, { hasAuthority: true });
  at.provider.fault("introspection", { hang: true });
  const heard = Promise.withResolvers<string>();
  const { port } = await serve(t, at.connections, {}, (socket) => {
    socket.on("message", (data: Buffer) => heard.resolve(data.toString()));
  });
  const socket = await sendHandshake(port, bearer(at.provider.token()), frame("early"));
  while (at.connections.status().pending === 0) await at.clock.advance(1);
  at.provider.restore();
  assert.equal(await heard.promise, "early");
  socket.destroy();
});

test("a refused client that keeps sending can read the response", async (t) => {
  const at = await setUp(t);
  const { port } = await serve(t, at.connections, {});
  for (let i = 0; i < 20; i++) {
    const socket = await sendHandshake(port, {}, Buffer.alloc(500_000));
    assert.match(await readAll(socket), /^HTTP\/1\.1 401 Unauthorized\r\n.*"error":"unauthorized"/s);
  }
});

test("a message to all clients reaches no client without a token", async (t) => {
  const at = await setUp(t);
  const { wss, port } = await serve(t, at.connections, firstMessage);
  const client = await connect(port);
  assert.equal(wss.clients.size, 0);
  client.present(at.provider.token());
  await client.told();
  assert.equal(wss.clients.size, 1);
  client.socket.close();
  await client.closed;
  assert.equal(wss.clients.size, 0);
});

test("a closing client without a token is in the set of clients, so that a shutdown finds it", async (t) => {
  const at = await setUp(t);
  const { wss, port } = await serve(t, at.connections, firstMessage);
  const socket = await sendHandshake(port, {});
  while (at.connections.status().pending === 0) await at.clock.advance(1);
  await at.connections.close();
  assert.equal(wss.clients.size, 1);
  for (const client of wss.clients) client.terminate();
  await once(socket.resume(), "close");
  assert.equal(wss.clients.size, 0);
});

test("all endpoints of a server share one listener", async (t) => {
  const { connections } = await setUp(t);
  const wss = new WebSocketServer({ noServer: true });
  for (let i = 0; i < 20; i++) protect(connections, {}, wss);
  assert.equal(wss.listenerCount("headers"), 1);
});

test("a handshake leaves no listeners on the socket beyond those of ws", async (t) => {
  const at = await setUp(t);
  const bare = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  t.after(() => bare.close());
  const names = ["close", "data", "end", "error", "readable", "finish", "timeout"];
  const counts = async (port: number, upgraded: Promise<unknown[]>, headers: Record<string, string>) => {
    const client = await connect(port, { headers });
    const [request] = (await upgraded) as [IncomingMessage];
    const listeners = names.map((name) => [name, request.socket.listenerCount(name)]);
    client.socket.terminate();
    return listeners;
  };
  await once(bare, "listening");
  const connected = once(bare, "connection").then(([, request]) => [request as unknown]);
  const usual = await counts((bare.address() as AddressInfo).port, connected, {});
  const { server, port } = await serve(t, at.connections, {});
  assert.deepEqual(await counts(port, once(server, "upgrade"), bearer(at.provider.token())), usual);
});

test("a malformed frame does not end the process of an application without an error listener", async (t) => {
  const at = await setUp(t);
  const closed = Promise.withResolvers<number>();
  const { port } = await serve(t, at.connections, {}, (socket) => socket.on("close", closed.resolve));
  const client = await connect(port, { headers: bearer(at.provider.token()) });
  (Reflect.get(client.socket, "_socket") as Socket).write(Buffer.from([0x8f, 0]));
  await closed.promise;
  assert.equal(at.connections.status().open, 0);
});

test("the connection checks messages for every way in which the application listens", async (t) => {
  const at = await setUp(t);
  const heard: string[] = [];
  const all = Promise.withResolvers<void>();
  const hear = (how: string, text: string) => void (heard.push(`${how} ${text}`) === 6 && all.resolve());
  const { port } = await serve(t, at.connections, {}, (socket) => {
    // oxlint-disable-next-line unicorn/prefer-add-event-listener -- The test covers this way too.
    socket.onmessage = ({ data }) => hear("property", (data as Buffer).toString());
    socket.addEventListener("message", ({ data }) => hear("event", (data as Buffer).toString()));
    createWebSocketStream(socket).on("data", (data: Buffer) => hear("stream", data.toString()));
  });
  const client = await connect(port, { headers: bearer(at.provider.token()) });
  client.send("one");
  client.present("nonsense");
  client.send("two");
  await all.promise;
  assert.deepEqual(heard.toSorted(), [
    "event one",
    "event two",
    "property one",
    "property two",
    "stream one",
    "stream two",
  ]);
});

test("a socket that the application pauses at a waiting message stays paused", async (t) => {
  const at = await setUp(t, { hasAuthority: true });
  const sockets: WebSocket[] = [];
  const heard: string[] = [];
  const { port } = await serve(t, at.connections, firstMessage, (socket) => {
    sockets.push(socket);
    socket.on("message", (data: Buffer) => {
      heard.push(data.toString());
      socket.pause();
    });
  });
  const client = await connect(port);
  at.provider.fault("introspection", { hang: true });
  client.present(at.provider.token());
  for (const text of ["one", "two"]) client.send(text);
  while (at.provider.counts("introspection").requests === 0) await at.clock.advance(1);
  at.provider.restore();
  await client.told();
  assert.deepEqual(heard, ["one", "two"]);
  assert.equal(sockets[0]?.isPaused, true);
  sockets[0]?.resume();
});

test("rejects a server that listens itself, and parts that lack a method", async (t) => {
  const { connections } = await setUp(t);
  const server = createServer();
  const open = new WebSocketServer({ server });
  assert.throws(() => protect(connections, {}, open), { code: "invalid_option", message: /noServer: true/ });
  const parts = {} as WebSocketServer;
  assert.throws(() => protect(connections, {}, parts), { code: "missing_method", message: /handleUpgrade/ });
  const wss = new WebSocketServer({ noServer: true });
  const handler = "none" as unknown as Handler;
  assert.throws(() => protect(connections, {}, wss, handler), { code: "invalid_option", message: /handler/ });
});

test("fault 52: a limited number of 10,000 half-open handshakes waits, and their memory is freed", async (t) => {
  const at = await setUp(t, { hasAuthority: true, maxPending: 200 });
  const { port } = await serve(t, at.connections, {});
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const tokens = Array.from({ length: 100 }, () => at.provider.token());
  /** Opens this many handshakes that hang. Returns how many of them got a response. */
  const wave = async (count: number) => {
    at.provider.fault("introspection", { hang: true });
    const waiting = new Set<Socket>();
    let answered = 0;
    const worker = async (share: number) => {
      for (let i = 0; i < share; i++) {
        const socket = await sendHandshake(port, bearer(tokens[i % tokens.length] as string));
        const answer = once(socket, "data").then(([data]) => (data as Buffer).toString("latin1", 9, 12));
        waiting.add(socket);
        const isFull = at.connections.status().pending >= 200;
        if (!isFull) void answer.catch(() => {});
        else if ((await answer) === "429") answered++;
        if (isFull) {
          waiting.delete(socket);
          socket.destroy();
        }
      }
    };
    await Promise.all(Array.from({ length: 20 }, async () => await worker(count / 20)));
    const { pending } = at.connections.status();
    for (const socket of waiting) socket.resetAndDestroy();
    while (at.connections.status().pending > 0) await at.clock.advance(1);
    at.provider.restore();
    await at.clock.advance(10_000);
    return { pending, answered, waiting: waiting.size };
  };
  await wave(2_000);
  collect();
  const { heapUsed: before } = process.memoryUsage();
  const { pending, answered, waiting } = await wave(10_000);
  assert.ok(pending <= 200, `${pending} wait`);
  assert.equal(answered + waiting, 10_000);
  assert.ok(answered > 9_000, `${answered} were answered`);
  collect();
  const grownBytes = process.memoryUsage().heapUsed - before;
  assert.ok(grownBytes < 3_000_000, `${grownBytes} bytes more`);
  const client = await connect(port, { headers: bearer(at.provider.token()) });
  assert.equal((await client.told()).type, "auth.ok");
});
