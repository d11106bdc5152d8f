import assert from "node:assert/strict";
import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import { WebSocket, WebSocketServer } from "ws";
import { protect, type ProtectOptions, type SocketClosing } from "../../../src/adapters/ws.ts";
import type { Connections } from "../../../src/connections/index.ts";
import { websocketContract } from "./handshake-contract.ts";
import { faultContract } from "./fault-contract.ts";
import { liveContract } from "./connection-contract.ts";
import { setUp, type Fixture } from "../../connections/fixture.ts";
import type { Library, Peer } from "./fixture.ts";
import { startUpgradeServer } from "./upgrade-server.ts";

const makeServer = () =>
  new WebSocketServer({
    noServer: true,
    perMessageDeflate: { threshold: 0 },
    handleProtocols: (offered) => (offered.has("chat") ? "chat" : false),
  });

const library: Library = {
  name: "ws",
  hasBodies: true,
  protect: async (connections, options) =>
    protect(connections as Connections, options as ProtectOptions, makeServer()),
  async serve(t, connections, options, application) {
    const server = createServer();
    const wss = makeServer();
    server.on(
      "upgrade",
      protect(connections, options, wss, (socket, request) => {
        const { protocol } = socket;
        const send: Peer["send"] = (data) => socket.send(data);
        const peer: Peer = { auth: request.auth, url: request.url ?? "", protocol, send };
        application.opened?.(peer);
        socket.on("message", (data: Buffer, isBinary) => {
          application.received?.(peer, isBinary ? data : data.toString());
        });
        socket.on("close", (code) => application.closed?.(peer, code));
      }),
    );
    t.after(async () => {
      for (const socket of wss.clients) socket.terminate();
      await server[Symbol.asyncDispose]();
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    return { port: (server.address() as AddressInfo).port, log: () => "" };
  },
};

websocketContract(library);
liveContract(library);
faultContract(library);

/** Opens a connection of `alice` to an endpoint, and collects what the client gets. */
async function openConnection(t: TestContext, fixture: Fixture, options: ProtectOptions) {
  const wss = makeServer();
  const delivered: string[] = [];
  const upgrade = protect(fixture.connections, options, wss, (socket) => {
    socket.on("message", (data: Buffer) => delivered.push(data.toString()));
  });
  const url = await startUpgradeServer(t, wss, upgrade);
  const authorization = `Bearer ${fixture.mint.token({ sub: "alice" })}`;
  const client = new WebSocket(url, { headers: { authorization } });
  const received: string[] = [];
  client.on("message", (data: Buffer) => received.push(data.toString()));
  await once(client, "open");
  return { client, received, delivered };
}

test("without messages, the application gets every text, and the client gets only those of the application", async (t) => {
  const fixture = await setUp();
  const { client, received, delivered } = await openConnection(t, fixture, { messages: false });
  const text = '{"type":"auth.token","token":"x"}';
  client.send(text);
  while (delivered.length === 0) await new Promise((resolve) => setImmediate(resolve));
  await fixture.clock.advance(560_000); // The notice of the expiry would be due.
  assert.deepEqual([delivered, received], [[text], []]);
  const closed = once(client, "close");
  await fixture.clock.advance(60_000);
  assert.equal((await closed)[0], 4401);
});

test("closeCode chooses the close code, and a code that cannot be sent is not used", async (t) => {
  for (const [closeCode, code] of [
    [() => 3000, 3000],
    [({ code: own }: SocketClosing) => own + 100, 4501],
    [() => 1006, 4401],
    [() => Number.NaN, 4401],
    [() => assert.fail("of the application"), 4401],
  ] as const) {
    const fixture = await setUp();
    const { client } = await openConnection(t, fixture, { closeCode });
    const closed = once(client, "close");
    await fixture.clock.advance(700_000);
    const [closedBy, reason] = (await closed) as [number, Buffer];
    assert.equal(closedBy, code);
    assert.match(reason.toString(), /token_expired/);
  }
});

test("a message of the application's own protocol can bring the first token, and a newer one", async (t) => {
  const fixture = await setUp();
  const wss = makeServer();
  const read = (text: string) => /^token=(.*)/.exec(text)?.[1] ?? null;
  const delivered: string[] = [];
  const tokenFrom = { firstMessage: read, laterMessages: read };
  const upgrade = protect(fixture.connections, { tokenFrom, messages: false }, wss, (socket, { auth }) => {
    socket.on("message", (data: Buffer) => {
      delivered.push(`${auth.auth?.subject} ${data.toString().slice(0, 6)}`);
      socket.send("seen");
    });
  });
  const client = new WebSocket(await startUpgradeServer(t, wss, upgrade));
  await once(client, "open");
  const say = async (text: string) => {
    const seen = once(client, "message");
    client.send(text);
    await seen;
  };
  await say(`token=${fixture.mint.token({ sub: "alice" })}`);
  await fixture.clock.advance(300_000);
  await say(`token=${fixture.mint.token({ sub: "alice" })}`);
  while (fixture.connections.status().refreshed === 0) await new Promise((resolve) => setImmediate(resolve));
  await fixture.clock.advance(400_000);
  await say("hello");
  assert.deepEqual(delivered, ["alice token=", "alice token=", "alice hello"]);
});

test("rejects options about messages that are none", async () => {
  const { connections } = await setUp();
  for (const [options, message] of [
    [{ messages: 1 }, /^protect: messages must be true or false; got 1/],
    [{ closeCode: 4401 }, /^protect: closeCode must be a function; got 4401/],
    [{ tokenFrom: { firstMessage: "x" } }, /firstMessage must be true, false or a function/],
    [{ tokenFrom: { laterMessages: true } }, /laterMessages must be a function/],
  ] as const) {
    const wrong = options as unknown as ProtectOptions;
    assert.throws(() => protect(connections, wrong, makeServer()), { code: "invalid_option", message });
  }
});
