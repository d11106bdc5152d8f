import assert from "node:assert/strict";
import { once } from "node:events";
import { test, type TestContext } from "node:test";
import { protect } from "../../../src/adapters/socket-io.ts";
import { setUp, type Fixture } from "./fixture.ts";

interface Silent {
  readonly closed: Promise<void>;
  readonly isClosed: () => boolean;
}

/** Opens a transport of engine.io that never asks for a namespace. */
async function openSilent(t: TestContext, { url }: Fixture): Promise<Silent> {
  const socket = new WebSocket(`${url.replace("http", "ws")}/socket.io/?EIO=4&transport=websocket`);
  t.after(() => socket.close());
  const closed = new Promise<void>((resolve) => socket.addEventListener("close", () => resolve()));
  await new Promise((resolve) => socket.addEventListener("message", resolve, { once: true }));
  return { closed, isClosed: () => socket.readyState >= WebSocket.CLOSING };
}

test("law 6, fault 52: a transport that joins no namespace is closed after firstTokenMs", async (t) => {
  const fixture = await setUp(t, { connections: { firstTokenMs: 5000 } });
  protect(fixture.connections, {}, fixture.io);
  const silent = await openSilent(t, fixture);
  const joined = fixture.client({}, {}, "/open");
  await once(joined as never, "connect");
  await fixture.clock.advance(4999);
  assert.equal(silent.isClosed(), false);
  await fixture.clock.advance(1);
  await silent.closed;
  assert.equal(joined.connected, true, "a transport that has joined any namespace stays");
});

test("law 6, fault 52: of too many silent transports the one that waited longest makes room", async (t) => {
  const fixture = await setUp(t, { connections: { maxPending: 3 } });
  protect(fixture.connections, {}, fixture.io);
  protect(fixture.connections, {}, fixture.io.of("/other"));
  const silent: Silent[] = [];
  for (let i = 0; i < 8; i++) silent.push(await openSilent(t, fixture));
  await Promise.all(silent.slice(0, 5).map(async (one) => await one.closed));
  assert.deepEqual(
    silent.slice(5).map((one) => one.isClosed()),
    [false, false, false],
  );
  assert.equal(fixture.connections.status().limited, 5);
  const honest = fixture.client({}, {}, "/open");
  await once(honest as never, "connect");
  await fixture.connections.close();
  await Promise.all(silent.map(async (one) => await one.closed));
});
