import assert from "node:assert/strict";
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { connect, type Socket } from "node:net";
import { test, type TestContext } from "node:test";
import type { ConnectionLimitOptions } from "../../../src/server/http/connection-limits.ts";
import { connectionsWithin } from "../../../src/server/http/listener-limits.ts";
import { listen } from "../../../src/server/http/listen.ts";

interface Fixture {
  /** Opens a connection of this peer. */
  readonly open: (peer: string) => Promise<Socket>;
  /** The responses that are not answered yet. */
  readonly pending: ServerResponse[];
}

/** A listener whose connections belong to the peers that the test names, in the order of their opening. */
async function startListener(
  t: TestContext,
  limits: Omit<ConnectionLimitOptions, "peerOf">,
): Promise<Fixture> {
  const peers: string[] = [];
  const pending: ServerResponse[] = [];
  const peerOf = () => {
    const peer = peers.shift() ?? "";
    return peer === "proxy" ? null : peer;
  };
  const listener = await listen("127.0.0.1", 0, "HOLDFAST_PORT", { connectionLimits: { ...limits, peerOf } });
  listener.mount((req, res) => {
    if (req.url === "/pending") pending.push(res);
    else req.on("end", () => res.end("done")).resume();
  });
  const sockets: Socket[] = [];
  t.after(async () => {
    for (const res of pending) res.end();
    for (const socket of sockets) socket.destroy();
    await listener.stop();
  });
  return {
    pending,
    async open(peer) {
      peers.push(peer);
      const socket = connect(listener.port, "127.0.0.1");
      socket.on("error", () => undefined);
      sockets.push(socket);
      await once(socket, "connect");
      return socket;
    },
  };
}

const slowBody = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{";
const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;

async function answerTo(socket: Socket, request: string): Promise<string> {
  socket.write(request);
  const [part] = (await Promise.race([once(socket, "data"), once(socket, "close")])) as [Buffer | boolean];
  return Buffer.isBuffer(part) ? part.toString().slice(0, 15) : "closed";
}

test("fault 78: at the limit of a peer, its connection that waited longest makes room", async (t) => {
  const { open } = await startListener(t, { max: 100, maxPerPeer: 3 });
  const other = await open("other");
  const slow: Socket[] = [];
  for (let i = 0; i < 5; i++) {
    const socket = await open("slow");
    socket.write(slowBody);
    slow.push(socket);
  }
  assert.equal(await answerTo(await open("slow"), get("/")), "HTTP/1.1 200 OK");
  await Promise.all(slow.slice(0, 3).map(async (one) => one.closed || (await once(one, "close"))));
  assert.deepEqual(
    slow.map(({ closed }) => closed),
    [true, true, true, false, false],
  );
  assert.equal(await answerTo(other, get("/")), "HTTP/1.1 200 OK");
});

test("fault 78: at the limit of the listener, the peer with most waiting connections makes room", async (t) => {
  const { open } = await startListener(t, { max: 6, maxPerPeer: 100 });
  const honest = await open("honest");
  assert.equal(await answerTo(honest, get("/")), "HTTP/1.1 200 OK");
  for (let i = 0; i < 20; i++) (await open("slow")).write(slowBody);
  assert.equal(await answerTo(await open("another"), get("/")), "HTTP/1.1 200 OK");
  assert.equal(await answerTo(honest, get("/")), "HTTP/1.1 200 OK");
});

test("law 6: a request that is being answered keeps its connection, and a new one is refused instead", async (t) => {
  const { open, pending } = await startListener(t, { max: 100, maxPerPeer: 2 });
  const busy = [await open("busy"), await open("busy")];
  for (const socket of busy) socket.write(get("/pending"));
  while (pending.length < 2) await new Promise(setImmediate);
  const refused = await open("busy");
  assert.equal(await answerTo(refused, get("/")), "closed");
  for (const [i, socket] of busy.entries()) {
    const answer = once(socket, "data");
    pending[i]?.end("late");
    assert.match(String((await answer)[0]), /^HTTP\/1\.1 200 OK/);
  }
  // An answered connection waits for its next request, and makes room again.
  assert.equal(await answerTo(await open("busy"), get("/")), "HTTP/1.1 200 OK");
});

test("a trusted proxy has only the limit of the listener", async (t) => {
  const { open } = await startListener(t, { max: 8, maxPerPeer: 2 });
  const sockets = await Promise.all(Array.from({ length: 8 }, async () => await open("proxy")));
  for (const socket of sockets) assert.equal(await answerTo(socket, get("/")), "HTTP/1.1 200 OK");
});

test("law 6: descriptors are kept back for the rest of the process", () => {
  assert.equal(connectionsWithin(150), 54);
  assert.equal(connectionsWithin(1024), 928);
  assert.equal(connectionsWithin(1_048_576), 10_000);
  assert.equal(connectionsWithin(null), 10_000);
  assert.equal(connectionsWithin(64), 16);
});
