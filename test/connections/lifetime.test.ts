import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import {
  createTestConnections,
  holdAdmissions,
  openConnection,
  TestTransport,
  tokenMessage,
  setUp,
} from "./fixture.ts";

const open = async (claims?: object, guardOptions?: Parameters<typeof setUp>[1]) => {
  const fixture = await setUp({}, guardOptions);
  return { ...fixture, ...(await openConnection(fixture.connections, fixture.mint.token({ ...claims }))) };
};

test("law 2, fault 48: a client is warned before its token expires, and closed with 4401 when it does", async () => {
  const { clock, transport, connection, connections } = await open();
  assert.equal(transport.isOpened, true);
  assert.deepEqual(transport.sent, [{ type: "auth.ok", expires_in: 600, scope: "", degraded: null }]);
  await clock.advance(539_000);
  assert.equal(transport.sent.length, 1);
  await clock.advance(2_000);
  assert.deepEqual(transport.sent[1], { type: "auth.expiring", expires_in: 60 });
  await clock.advance(57_000);
  assert.equal(connection.receive("hello", "hello"), true);
  await clock.advance(9_000);
  assert.deepEqual(transport.closed, { code: 4401, error: "token_expired", retryAfter: 0.5 });
  assert.equal(transport.sent.length, 2);
  assert.equal(connections.status().open, 0);
});

test("law 2: a message after the token's expiry is refused, even before the next sweep", async () => {
  const { clock, transport, connection } = await open({}, { clockToleranceMs: 4_500 });
  await clock.advance(604_499);
  assert.equal(connection.receive("in time", "in time"), true);
  await clock.advance(1);
  assert.equal(connection.receive("late", "late"), false);
  assert.equal(transport.code, 4401);
});

test("law 1: a clock jump does not count as an expiry: the connection closes with a time to try again", async () => {
  const { clock, transport } = await open();
  clock.setWall(clock.now() + 3_600_000);
  await clock.advance(1_000);
  assert.equal(transport.code, 4453);
  // The retry time lies after the jump is confirmed, and differs between clients.
  assert.equal(transport.closed?.retryAfter, 65);
});

test("fault 48: a refresh over the connection keeps it open", async () => {
  const { clock, transport, connection, connections, mint } = await open();
  await clock.advance(590_000);
  assert.equal(connection.receive("auth", tokenMessage(mint.token({ scope: "chat" }))), false);
  assert.equal(connection.receive("after", "after"), true);
  await clock.advance(1);
  assert.deepEqual(transport.last, { type: "auth.ok", expires_in: 600, scope: "chat", degraded: null });
  await clock.advance(500_000);
  assert.equal(connection.receive("more", "more"), true);
  assert.deepEqual(connection.auth?.scopes, ["chat"]);
  assert.equal(connections.status().refreshed, 1);
});

/** Opens a connection whose token expires in 500 ms, tolerance included. The guard holds each new admission. */
async function openExpiring(t: TestContext) {
  const fixture = await setUp();
  const gate = holdAdmissions(fixture.guard);
  const connections = createTestConnections(t, gate.guard, fixture.clock);
  const admission = await fixture.guard.admit(fixture.mint.token());
  assert.ok(admission.status === "admitted");
  const transport = new TestTransport();
  const connection = connections.open(transport, admission);
  await fixture.clock.advance(604_500);
  return { ...fixture, ...gate, transport, connection };
}

test("fault 48: messages that arrive while the successor of an expired token is checked are delivered afterwards, in order", async (t) => {
  const { clock, transport, connection, mint, releaseFirst } = await openExpiring(t);
  connection.receive("token", tokenMessage(mint.token()));
  await clock.advance(2_000);
  assert.equal(transport.code, null, "each sweep waits for the successor");
  for (const message of ["a", "b", "c"]) assert.equal(connection.receive(message, message), false);
  assert.deepEqual([transport.delivered, transport.isPaused], [[], true]);
  void releaseFirst();
  await clock.advance(100);
  assert.deepEqual([transport.delivered, transport.isPaused], [["a", "b", "c"], false]);
  assert.equal(connection.receive("d", "d"), true);
  assert.equal(transport.code, null);
});

test("law 2: an invalid token that is presented at the expiry of a valid one gains no time", async (t) => {
  for (const speaks of [true, false]) {
    const { clock, transport, connection, releaseFirst } = await openExpiring(t);
    const presenting = connection.presentToken("no token at all");
    await clock.advance(600);
    if (speaks) assert.equal(connection.receive("late", "late"), false);
    assert.deepEqual([transport.delivered, transport.closed], [[], null]);
    void releaseFirst();
    await presenting;
    assert.deepEqual([transport.delivered, transport.code], [[], 4401]);
  }
});

test("a message that arrives while waiting messages are delivered comes after them", async (t) => {
  const { clock, transport, connection, mint, releaseFirst } = await openExpiring(t);
  const presenting = connection.presentToken(mint.token());
  await clock.advance(600);
  for (const message of ["a", "b"]) connection.receive(message, message);
  transport.deliver = (message) => {
    transport.delivered.push(message);
    if (message === "a") assert.equal(connection.receive("c", "c"), false);
  };
  void releaseFirst();
  await presenting;
  assert.deepEqual(transport.delivered, ["a", "b", "c"]);
});

test("a token that lives less than warnMs is announced once, at half of its life", async () => {
  const { clock, transport } = await open({ exp: Date.UTC(2030, 0, 1) / 1000 + 30 });
  await clock.advance(14_000);
  assert.equal(transport.sent.length, 1);
  await clock.advance(2_000);
  assert.equal(transport.last?.["type"], "auth.expiring");
  await clock.advance(14_000);
  assert.equal(transport.sent.length, 2);
});

test("a connection whose token never expires gets no warning", async () => {
  const fixture = await setUp({}, { allowMissingExp: true });
  const { transport, connection } = await openConnection(
    fixture.connections,
    fixture.mint.token({ exp: undefined }),
  );
  assert.equal(transport.sent[0]?.["expires_in"], null);
  await fixture.clock.advance(3_600_000);
  assert.equal(connection.receive("m", "m"), true);
  assert.equal(transport.sent.length, 1);
});

test("a connection without a token must send it first and within firstTokenMs", async () => {
  const { clock, connections, mint } = await setUp();
  const [speaks, silent, good, bad] = Array.from({ length: 4 }, () => new TestTransport());
  assert.ok(speaks && silent && good && bad);
  connections.expect(silent);
  assert.equal(connections.expect(speaks).receive("hello", "hello"), false);
  assert.equal(speaks.closed?.code, 4408);
  const connection = connections.expect(good);
  assert.equal(connection.current().status, "unavailable");
  const presenting = connection.presentToken(mint.token());
  assert.equal(connection.receive("early", "early"), false);
  await presenting;
  assert.deepEqual([good.isOpened, good.delivered, connection.state], [true, ["early"], "open"]);
  const refused = connections.expect(bad);
  await refused.presentToken(mint.token({ exp: 1 }));
  assert.equal(bad.closed?.code, 4401);
  await clock.advance(9_999);
  assert.equal(silent.closed, null);
  await clock.advance(2_000);
  assert.deepEqual(silent.closed, { code: 4408, error: "token_missing", retryAfter: 0.5 });
  assert.equal(good.closed, null);
});

test("law 1: a connection that sent its first token in time stays open while the check takes longer", async (t) => {
  const fixture = await setUp();
  const { guard, releaseFirst } = holdAdmissions(fixture.guard);
  const transport = new TestTransport();
  const connection = createTestConnections(t, guard, fixture.clock).expect(transport);
  const presenting = connection.presentToken(fixture.mint.token());
  await fixture.clock.advance(20_000);
  assert.deepEqual([transport.code, connection.state], [null, "pending"]);
  void releaseFirst();
  await presenting;
  assert.equal(connection.state, "open");
});

test("waiting messages are limited in number and size, and one long message is within the limit", async () => {
  const { connections, mint } = await setUp();
  for (const [bytes, most] of [
    [0, 256],
    [10_000, 24],
    [10_000_000, 1],
  ] as const) {
    const transport = new TestTransport();
    const connection = connections.expect(transport);
    const presenting = connection.presentToken(mint.token());
    for (let i = 0; i < most; i++) {
      assert.equal(connection.receive(i, null, bytes), false);
      assert.equal(transport.code, null, `${i} of ${bytes}`);
    }
    const others = new TestTransport();
    const other = connections.expect(others);
    const otherPresenting = other.presentToken(mint.token());
    for (let i = 0; i <= most; i++) other.receive(i, null, bytes);
    assert.equal(others.closed?.code, 4429);
    await Promise.all([presenting, otherPresenting]);
    assert.equal(transport.delivered.length, most);
    assert.deepEqual(others.delivered, []);
  }
});
