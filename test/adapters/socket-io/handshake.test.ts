import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { protect, type ProtectOptions } from "../../../src/adapters/socket-io.ts";
import { createConnections } from "../../../src/connections/index.ts";
import { connectOutcome, nextEvent, transports, setUp, type ConnectErrorData } from "./fixture.ts";

for (const transport of transports) {
  const wanted = { transports: [transport] };

  test(`${transport}: a socket with a valid token joins, and the application gets the live connection`, async (t) => {
    const { io, client, connections, provider } = await setUp(t);
    protect(connections, { scopes: ["chat"] }, io);
    io.on("connection", (socket) => {
      socket.emit("hello", socket.data.auth.auth?.subject, socket.data.auth.state);
    });
    const alice = client({ token: provider.token({ sub: "alice", scope: "chat read" }) }, wanted);
    const ok = nextEvent(alice, "auth.ok");
    const hello = new Promise((resolve) => alice.once("hello", (...said) => resolve(said)));
    assert.equal(await connectOutcome(alice), null);
    assert.deepEqual(await ok, { expires_in: 600, scope: "chat read", degraded: null });
    assert.deepEqual(await hello, ["alice", "open"]);
  });

  test(`${transport}: a refused socket gets the close code and its retry time`, async (t) => {
    const { io, client, connections, provider, clock, revoke } = await setUp(t);
    protect(connections, { scopes: ["chat"] }, io);
    io.on("connection", () => assert.fail("the socket joined"));
    const exp = Math.floor(clock.now() / 1000) - 60;
    const revoked = provider.token({ sub: "bob", scope: "chat" });
    await revoke("bob");
    await clock.advance(1000);
    const turnedAway: [auth: unknown, told: ConnectErrorData][] = [
      [undefined, { error: "token_missing", code: 4408, retry_after: 0.5 }],
      [{ token: "" }, { error: "token_missing", code: 4408, retry_after: 0.5 }],
      [
        { token: provider.token({ exp, scope: "chat" }) },
        { error: "token_expired", code: 4401, retry_after: 0.5 },
      ],
      [{ token: revoked }, { error: "token_revoked", code: 4503 }],
      [{ token: "nonsense" }, { error: "invalid_token", code: 4501 }],
      [{ token: { toString: "token" } }, { error: "invalid_token", code: 4501 }],
      [{ token: provider.token() }, { error: "insufficient_scope", code: 4502 }],
    ];
    for (const [auth, told] of turnedAway) {
      assert.deepEqual(await connectOutcome(client(auth, wanted)), told);
    }
    assert.deepEqual([connections.status().open, connections.status().pending], [0, 0]);
  });

  test(`${transport}: law 1: a token that cannot be checked is refused with 4453, and not as invalid`, async (t) => {
    const { io, client, connections, provider } = await setUp(t, { hasAuthority: true });
    provider.fault("introspection", { status: 500 });
    protect(connections, { degraded: "deny" }, io);
    const told = await connectOutcome(client({ token: provider.token() }, wanted));
    assert.deepEqual([told?.error, told?.code], ["try_later", 4453]);
    assert.ok(Number(told?.retry_after) > 0);
  });
}

test("law 1: a guard that throws refuses with 4453, and not as invalid", async (t) => {
  const { io, client, guard, provider, clock } = await setUp(t);
  const admit = () => Promise.reject(new Error("secret detail"));
  const connections = createConnections({ guard: { ...guard, admit }, clock });
  protect(connections, {}, io);
  const told = await connectOutcome(client({ token: provider.token() }));
  assert.equal(told?.code, 4453);
  assert.doesNotMatch(JSON.stringify(told), /secret/);
});

test("law 10: a degraded decision is declared to the client", async (t) => {
  const { io, client, connections, provider } = await setUp(t, { hasAuthority: true });
  provider.fault("introspection", { status: 500 });
  protect(connections, {}, io);
  protect(connections, { degraded: "deny" }, io.of("/strict"));
  const alice = client({ token: provider.token() });
  assert.deepEqual(await nextEvent(alice, "auth.ok"), {
    expires_in: 600,
    scope: "",
    degraded: "authority_unavailable",
  });
  const told = await connectOutcome(client({ token: provider.token() }, {}, "/strict"));
  assert.equal(told?.code, 4453);
});

test("a socket beyond a limit gets a retry time", async (t) => {
  const { io, client, connections, provider } = await setUp(t, { connections: { maxPerSubject: 2 } });
  protect(connections, {}, io);
  const auth = { token: provider.token({ sub: "alice" }) };
  const first = client(auth);
  assert.equal(await connectOutcome(first), null);
  assert.equal(await connectOutcome(client(auth)), null);
  assert.deepEqual(await connectOutcome(client(auth)), { error: "too_many", code: 4429, retry_after: 6 });
  assert.equal(await connectOutcome(client({ token: provider.token({ sub: "bob" }) })), null);
  first.disconnect();
  while (connections.status().open > 2) await setImmediate();
  assert.equal(await connectOutcome(client(auth)), null);
});

test("a client that leaves while its token is checked aborts the check, and leaves no connection", async (t) => {
  const { io, client, connections, provider } = await setUp(t, { hasAuthority: true });
  provider.fault("introspection", { hang: true });
  protect(connections, { degraded: "deny" }, io);
  io.on("connection", () => assert.fail("the socket joined"));
  const alice = client({ token: provider.token() });
  while (connections.status().pending === 0) await setImmediate();
  alice.disconnect();
  while (connections.status().pending > 0) await setImmediate();
  assert.equal(connections.status().open, 0);
});

test("a later middleware that refuses a socket leaves no connection", async (t) => {
  const { io, client, connections, provider } = await setUp(t);
  protect(connections, {}, io);
  io.use((_, next) => next(new Error("not today")));
  const told = await connectOutcome(client({ token: provider.token() }));
  assert.deepEqual(told, { error: "not today", code: 0 });
  assert.deepEqual([connections.status().open, connections.status().pending], [0, 0]);
});

test("law 5: the data that servers of a cluster exchange about a socket contains no token", async (t) => {
  const { io, client, connections, provider } = await setUp(t, { hasAuthority: true });
  const cookie = { name: "__Host-token", origins: ["https://app.example"] };
  protect(connections, { tokenFrom: { cookie, query: { name: "ticket" } } }, io);
  const token = provider.token();
  const Cookie = `__Host-token=${token}`;
  const ways: [auth: object, options: object][] = [
    [{ token, room: 1 }, {}],
    [{}, { extraHeaders: { Authorization: `Bearer ${token}` } }],
    [{}, { extraHeaders: { Cookie, Origin: "https://app.example" } }],
    [{}, { query: { ticket: token } }],
  ];
  for (const [auth, options] of ways) assert.equal(await connectOutcome(client(auth, options)), null);
  const [, payload = ""] = token.split(".");
  const told = (await io.fetchSockets()).map(({ handshake, data }) => ({ handshake, data: { ...data } }));
  assert.equal(told.length, ways.length);
  assert.equal(JSON.stringify(told).includes(payload), false);
  assert.deepEqual(told[0]?.handshake.auth, { room: 1 });
  assert.match(String(told[0]?.handshake.headers.host), /^127\.0\.0\.1/);
});

test("checks options and server at creation", async (t) => {
  const { io, connections } = await setUp(t);
  const wrong: [options: unknown, message: RegExp][] = [
    [{ scope: ["chat"] }, /^protect: rules has no option "scope"/],
    [{ scopes: "chat" }, /^protect: scopes must be an array of strings; got "chat"/],
    [{ tokenFrom: { subprotocol: true } }, /^protect: tokenFrom has no option "subprotocol"/],
    [{ tokenFrom: { authorization: "yes" } }, /^tokenFrom: authorization must be true or false/],
  ];
  for (const [options, message] of wrong) {
    const protecting = () => protect(connections, options as ProtectOptions, io);
    assert.throws(protecting, { code: "invalid_option", message });
  }
  assert.throws(() => protect({} as typeof connections, {}, io), {
    code: "missing_method",
    message: /admit/,
  });
  assert.throws(() => protect(connections, {}, {} as typeof io), { code: "missing_method", message: /use/ });
  protect(connections, {}, io);
  const again = { code: "invalid_option", message: /protected already/ };
  assert.throws(() => protect(connections, {}, io.of("/")), again);
});

test("law 3: rejects a server with connectionStateRecovery", async (t) => {
  const { io, connections } = await setUp(t, {
    server: { connectionStateRecovery: { skipMiddlewares: false } },
  });
  const message = /must not use connectionStateRecovery/;
  assert.throws(() => protect(connections, {}, io), { code: "invalid_option", message });
  assert.throws(() => protect(connections, {}, io.of("/chat")), { code: "invalid_option", message });
});
