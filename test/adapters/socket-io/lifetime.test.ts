import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import {
  connectOutcome,
  settle,
  nextEvent,
  echoEvents,
  transports,
  setUp,
  type ConnectErrorData,
} from "./fixture.ts";

for (const transport of transports) {
  const wanted = { transports: [transport] };

  test(`${transport}: fault 48: a client is warned before its token expires, and a refresh keeps its connection open`, async (t) => {
    const fixture = await setUp(t);
    const { client, provider, clock, connections } = fixture;
    const said = echoEvents(fixture, {});
    const alice = client({ token: provider.token() }, wanted);
    await connectOutcome(alice);
    const expiring = nextEvent(alice, "auth.expiring");
    await clock.advance(541_000);
    assert.deepEqual(await expiring, { expires_in: 60 });
    const ok = nextEvent(alice, "auth.ok");
    const outcome: unknown = await alice.emitWithAck("auth.token", provider.token({ scope: "chat" }));
    assert.deepEqual(outcome, { type: "auth.ok", expires_in: 600, scope: "chat", degraded: null });
    assert.deepEqual(await ok, { expires_in: 600, scope: "chat", degraded: null });
    await clock.advance(500_000);
    await alice.emitWithAck("say", 1);
    assert.deepEqual(said, [1]);
    assert.equal(connections.status().refreshed, 1);
  });

  test(`${transport}: the application is told about other scopes before the token is acknowledged`, async (t) => {
    const fixture = await setUp(t);
    const { client, provider, io } = fixture;
    const told: string[] = [];
    echoEvents(fixture, {});
    io.on("connection", ({ data }) => {
      data.auth.onChange(({ before, now }) => told.push(`${before.scopes.length} > ${now.scopes.length}`));
    });
    const alice = client({ token: provider.token({ scope: "chat admin" }) }, wanted);
    await connectOutcome(alice);
    await alice.emitWithAck("auth.token", provider.token({ scope: "chat" }));
    assert.deepEqual(told, ["2 > 1"]);
  });

  test(`${transport}: fault 48: without a refresh the connection closes with 4401, and the client joins again with a new token`, async (t) => {
    const fixture = await setUp(t);
    const { client, provider, clock } = fixture;
    echoEvents(fixture, {});
    const auth = { token: provider.token() };
    const alice = client(auth, wanted);
    await connectOutcome(alice);
    const closed = nextEvent<ConnectErrorData>(alice, "auth.closed");
    const gone = nextEvent(alice, "disconnect");
    await clock.advance(606_000);
    assert.deepEqual(await closed, { error: "token_expired", code: 4401, retry_after: 0.5 });
    assert.equal(await gone, "io server disconnect");
    auth.token = provider.token();
    assert.equal(await connectOutcome(alice.connect()), null);
  });

  test(`${transport}: law 3: a revocation disconnects its sockets, and no others`, async (t) => {
    const fixture = await setUp(t);
    const { client, provider, clock, revoke, connections } = fixture;
    echoEvents(fixture, {});
    const [alice, bob] = ["alice", "bob"].map((sub) => client({ token: provider.token({ sub }) }, wanted));
    assert.ok(alice !== undefined && bob !== undefined);
    await Promise.all([connectOutcome(alice), connectOutcome(bob)]);
    const closed = nextEvent<ConnectErrorData>(bob, "auth.closed");
    const gone = nextEvent(bob, "disconnect");
    await revoke("bob");
    await clock.advance(300); // The guard reads the log every 250 ms.
    assert.deepEqual(await closed, { error: "token_revoked", code: 4503 });
    await gone;
    await alice.emitWithAck("say", "hello");
    assert.deepEqual(connections.status().closed, { 4503: 1 });
  });
}

test("law 3: a revoked socket is disconnected even when a listener of outgoing events throws", async (t) => {
  const fixture = await setUp(t);
  const { io, client, provider, clock, revoke } = fixture;
  echoEvents(fixture, {});
  io.on("connection", (socket) =>
    socket.onAnyOutgoing((event) => {
      if (event === "auth.closed") throw new Error("thrown by the application");
    }),
  );
  const bob = client({ token: provider.token({ sub: "bob" }) });
  await connectOutcome(bob);
  const gone = nextEvent(bob, "disconnect");
  await revoke("bob");
  await clock.advance(300);
  assert.equal(io.sockets.sockets.size, 0);
  await gone;
});

test("law 2: a packet after the token's expiry is refused, even before the next sweep", async (t) => {
  const fixture = await setUp(t);
  const { io, client, provider, clock } = fixture;
  const said = echoEvents(fixture, {});
  io.on("connection", (socket) => {
    socket.onAny((event) => said.push(event));
    socket.emit("question", (reply: unknown) => said.push(reply));
  });
  await clock.advance(500); // A sweep runs each second from now on, and the tokens expire between two sweeps.
  const alice = client({ token: provider.token() });
  const asked = new Promise<(reply: unknown) => void>((resolve) => alice.once("question", resolve));
  const closed = nextEvent<ConnectErrorData>(alice, "auth.closed");
  const gone = nextEvent(alice, "disconnect");
  const reply = await asked;
  await clock.advance(604_750);
  said.length = 0;
  reply("late");
  alice.emit("say", "late");
  assert.equal((await closed).code, 4401);
  await gone;
  assert.deepEqual(said, []);
});

test("law 5: no listener gets the token of a client", async (t) => {
  const fixture = await setUp(t);
  const { io, client, provider } = fixture;
  echoEvents(fixture, {});
  const all: unknown[][] = [];
  io.on("connection", (socket) => socket.onAny((...heardHere) => all.push(heardHere)));
  const alice = client({ token: provider.token() });
  await connectOutcome(alice);
  await alice.emitWithAck("auth.token", provider.token());
  await alice.emitWithAck("say", "hello");
  assert.deepEqual(
    all.map(([event]) => event),
    ["say"],
  );
});

/** Connects a client whose token expires soon, while the authority does not answer about the next one. */
async function connectExpiring(t: TestContext) {
  const fixture = await setUp(t, { hasAuthority: true, connections: { recheckMs: 86_400_000 } });
  const { client, provider, clock } = fixture;
  const said = echoEvents(fixture, { degraded: "deny" });
  await clock.advance(500); // The token expires between two sweeps.
  const alice = client({ token: provider.token() });
  await connectOutcome(alice);
  await clock.advance(604_250);
  provider.fault("introspection", { hang: true });
  return { fixture, alice, said };
}

test("packets that arrive after the expiry, while a new token is checked, wait and are delivered in order", async (t) => {
  const { fixture, alice, said } = await connectExpiring(t);
  const { provider, clock } = fixture;
  const outcome = alice.emitWithAck("auth.token", provider.token());
  alice.emit("say", 1);
  await settle(alice);
  assert.deepEqual(said, [1]);
  await clock.advance(500);
  for (const what of [2, { three: Buffer.from("3") }, 4]) alice.emit("say", what);
  await settle(alice);
  assert.deepEqual(said, [1]);
  provider.restore();
  assert.equal(((await outcome) as { type: string }).type, "auth.ok");
  await alice.emitWithAck("say", 5);
  assert.deepEqual(said, [1, 2, { three: Buffer.from("3") }, 4, 5]);
});

test("waiting packets are limited by the size of their content, at any depth", async (t) => {
  const { fixture, alice, said } = await connectExpiring(t);
  const { provider, clock } = fixture;
  alice.emit("auth.token", provider.token());
  await settle(alice);
  await clock.advance(500);
  alice.io.engine.write(`2["say",${"[".repeat(9_000)}${"]".repeat(9_000)}]`); // The encoder of the client does not nest this deep.
  alice.emit("say", { ["key".repeat(10_000)]: "value".repeat(10_000) });
  await settle(alice);
  assert.equal(alice.connected, true);
  const closed = nextEvent<ConnectErrorData>(alice, "auth.closed");
  alice.emit("say", [Buffer.alloc(150_000)]);
  alice.emit("say", "one more");
  assert.deepEqual(await closed, { error: "too_many", code: 4429, retry_after: 5 });
  assert.deepEqual(said, []);
});

test("fault 50: the acknowledgement of a token gets its result", async (t) => {
  const fixture = await setUp(t, { hasAuthority: true });
  const { client, provider } = fixture;
  echoEvents(fixture, { scopes: ["chat"], degraded: "deny" });
  const token = (claims = {}) => provider.token({ sub: "alice", scope: "chat", ...claims });
  const alice = client({ token: token() });
  await connectOutcome(alice);
  provider.fault("introspection", { hang: true });
  const first = alice.emitWithAck("auth.token", token());
  const second: unknown = await alice.emitWithAck("auth.token", token());
  assert.deepEqual(second, { type: "auth.refused", error: "busy", retry_after: 1 });
  const nonsense: unknown = await alice.emitWithAck("auth.token", { deep: [] });
  assert.deepEqual(nonsense, { type: "auth.refused", error: "invalid_request" });
  provider.restore();
  assert.equal(((await first) as { type: string }).type, "auth.ok");
  const forged: unknown = await alice.emitWithAck("auth.token", "nonsense");
  assert.deepEqual(forged, { type: "auth.refused", error: "invalid_token" });
});

test("fault 50: a token of another subject, or without a required scope, disconnects the client", async (t) => {
  const fixture = await setUp(t);
  const { client, provider } = fixture;
  echoEvents(fixture, { scopes: ["chat"] });
  const wrong: [claims: object, told: ConnectErrorData][] = [
    [{ sub: "bob" }, { error: "other_subject", code: 4504 }],
    [{ scope: "read" }, { error: "insufficient_scope", code: 4502 }],
  ];
  for (const [claims, told] of wrong) {
    const alice = client({ token: provider.token({ sub: "alice", scope: "chat" }) });
    await connectOutcome(alice);
    const closed = nextEvent<ConnectErrorData>(alice, "auth.closed");
    alice.emit("auth.token", provider.token({ sub: "alice", scope: "chat", ...claims }));
    assert.deepEqual(await closed, told);
  }
});

test("fault 48: a token that the authority refuses after its expiry counts as expired, and not as revoked", async (t) => {
  const fixture = await setUp(t, { hasAuthority: true, connections: { recheckMs: 1000 } });
  const { client, provider, clock, guard } = fixture;
  echoEvents(fixture, {});
  const token = provider.token();
  const alice = client({ token });
  await connectOutcome(alice);
  const closed = nextEvent<ConnectErrorData>(alice, "auth.closed");
  await clock.advance(602_000);
  assert.deepEqual(await closed, { error: "token_expired", code: 4401, retry_after: 0.5 });
  assert.deepEqual(await guard.validate(token), { status: "invalid", reason: "expired" });
  assert.deepEqual(await connectOutcome(client({ token })), {
    error: "token_expired",
    code: 4401,
    retry_after: 0.5,
  });
});

test("fault 51: a socket that was accepted without the authority is disconnected when the authority refuses its token", async (t) => {
  const fixture = await setUp(t, { hasAuthority: true });
  const { client, provider, clock } = fixture;
  echoEvents(fixture, {});
  provider.fault("introspection", { status: 500 });
  const bob = client({ token: provider.token({ sub: "bob" }) });
  const ok = await nextEvent<{ degraded: string }>(bob, "auth.ok");
  assert.equal(ok.degraded, "authority_unavailable");
  const closed = nextEvent<ConnectErrorData>(bob, "auth.closed");
  provider.revoke("bob");
  provider.restore();
  await clock.advance(60_000);
  assert.deepEqual(await closed, { error: "token_revoked", code: 4503 });
});

test("fault 54: clients that are disconnected together get different retry times", async (t) => {
  let turn = 0;
  const random = () => (turn++ % 10) / 10;
  const fixture = await setUp(t, { connections: { random } });
  const { client, provider, connections, clock } = fixture;
  echoEvents(fixture, {});
  const auth = { token: provider.token() };
  const clients = Array.from({ length: 5 }, () => client(auth));
  const closed = Promise.all(
    clients.map(async (one) => await nextEvent<ConnectErrorData>(one, "auth.closed")),
  );
  await Promise.all(clients.map(connectOutcome));
  await Promise.all([connections.drain({ overMs: 0 }), clock.advance(1000)]);
  const told = await closed;
  assert.deepEqual(new Set(told.map(({ code }) => code)), new Set([4453]));
  assert.equal(new Set(told.map(({ retry_after }) => retry_after)).size, 5);
  assert.equal((await connectOutcome(client(auth)))?.code, 4453);
});
