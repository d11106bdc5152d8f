import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { protect } from "../../../src/adapters/socket-io.ts";
import { connectOutcome, nextEvent, setUp, type ConnectErrorData } from "./fixture.ts";

test("each namespace of a transport has its own token, and closing one leaves the others open", async (t) => {
  const { io, client, connections, provider, clock, revoke } = await setUp(t);
  protect(connections, {}, io);
  protect(connections, { scopes: ["admin"] }, io.of("/admin"));
  const root = client({ token: provider.token({ sub: "alice" }) });
  await connectOutcome(root);
  const auth = { token: provider.token({ sub: "alice" }) };
  const admin = root.io.socket("/admin", { auth });
  assert.equal((await connectOutcome(admin))?.code, 4502);
  auth.token = provider.token({ sub: "root", scope: "admin" });
  assert.equal(await connectOutcome(admin.connect()), null);
  const open = root.io.socket("/open");
  assert.equal(await connectOutcome(open), null);
  assert.equal(connections.status().open, 2);

  const closed = nextEvent<ConnectErrorData>(admin, "auth.closed");
  const gone = nextEvent(admin, "disconnect");
  await revoke("root");
  await clock.advance(300);
  assert.equal((await closed).code, 4503);
  assert.equal(await gone, "io server disconnect");
  await open.emitWithAck("ping");
  assert.deepEqual([root.connected, connections.status().open], [true, 1]);
});

test("a transport closes with its last namespace", async (t) => {
  const { io, client, connections, provider, clock, revoke } = await setUp(t);
  protect(connections, {}, io);
  const alice = client({ token: provider.token({ sub: "alice" }) });
  await connectOutcome(alice);
  assert.equal(io.engine.clientsCount, 1);
  Reflect.set(alice.io, "_destroy", () => {}); // This client would keep the transport open.
  await revoke("alice");
  await clock.advance(300);
  while (io.engine.clientsCount > 0) await setImmediate();
});

const leavings: [title: string, inApplication: (socket: { removeAllListeners(): unknown }) => void][] = [
  ["leaving a namespace closes its connection, although the transport stays open", () => {}],
  [
    "a closed socket is removed even when the application removes its listeners",
    (socket) => socket.removeAllListeners(),
  ],
];
for (const [title, inApplication] of leavings) {
  test(title, async (t) => {
    const { io, client, connections, provider } = await setUp(t);
    protect(connections, {}, io);
    io.on("connection", inApplication);
    const alice = client({ token: provider.token() });
    await connectOutcome(alice);
    const open = alice.io.socket("/open");
    await connectOutcome(open);
    alice.disconnect();
    await open.emitWithAck("ping");
    assert.equal(connections.status().open, 0);
  });
}

test("rejects a pattern that has made namespaces already, because they would stay unprotected", async (t) => {
  const { io, connections } = await setUp(t);
  const rooms = io.of(/^\/room-\d+$/);
  io.of("/room-1");
  const message = /pattern without namespaces/;
  assert.throws(() => protect(connections, {}, rooms), { code: "invalid_option", message });
});

test("namespaces of a protected pattern are protected", async (t) => {
  const { io, client, connections, provider } = await setUp(t);
  protect(connections, { scopes: ["chat"] }, io.of(/^\/room-\d+$/));
  assert.equal((await connectOutcome(client({}, {}, "/room-1")))?.code, 4408);
  const alice = client({ token: provider.token({ scope: "chat" }) }, {}, "/room-2");
  assert.equal(await connectOutcome(alice), null);
  const outcome = (await alice.emitWithAck("auth.token", provider.token({ scope: "chat" }))) as object;
  assert.equal("type" in outcome && outcome.type, "auth.ok");
});
