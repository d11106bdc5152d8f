import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { connectionEvents } from "../../src/core/event-channels.ts";
import type { ConnectionEvent } from "../../src/core/events.ts";
import { createConnections } from "../../src/connections/index.ts";
import { createTestConnections, holdAdmissions, openConnection, TestTransport, setUp } from "./fixture.ts";

test("one subject has at most maxPerSubject connections, and a closed one makes room", async () => {
  const { connections, mint } = await setUp({ maxPerSubject: 2 });
  const first = await openConnection(connections, mint.token());
  await openConnection(connections, mint.token());
  await openConnection(connections, mint.token({ sub: "another" }));
  const refused = await connections.admit(mint.token());
  assert.ok(refused.status === "limited");
  assert.ok(refused.retryAfterMs >= 1_000);
  first.connection.closed();
  first.connection.closed();
  await openConnection(connections, mint.token());
  assert.deepEqual([connections.status().open, connections.status().subjects], [3, 2]);
  assert.equal((await connections.admit(mint.token())).status, "limited");
  assert.equal(connections.status().limited, 2);
});

test("concurrent handshakes do not exceed the limits", async (t) => {
  const { clock, guard, mint } = await setUp();
  for (const options of [{ maxPerSubject: 3 }, { max: 3 }]) {
    const connections = createTestConnections(t, guard, clock, options);
    const admissions = [];
    for (let i = 0; i < 5; i++) admissions.push(await connections.admit(mint.token()));
    const transports = admissions.map((admission) => {
      assert.ok(admission.status === "admitted");
      const transport = new TestTransport();
      connections.open(transport, admission);
      return transport;
    });
    assert.deepEqual(
      transports.map(({ closed }) => closed?.code),
      [undefined, undefined, undefined, 4429, 4429],
    );
    assert.equal(connections.status().open, 3);
  }
});

test("maxPending limits concurrent handshakes, and connections without a token do not count against it", async (t) => {
  const { clock, guard, mint } = await setUp();
  const gate = holdAdmissions(guard);
  const connections = createTestConnections(t, gate.guard, clock, { maxPending: 3 });
  for (let i = 0; i < 50; i++) connections.expect(new TestTransport());
  const calls = Array.from({ length: 3 }, async () => await connections.admit(mint.token()));
  assert.equal((await connections.admit(mint.token())).status, "limited");
  assert.equal(connections.status().pending, 6);
  for (let i = 0; i < 3; i++) void gate.releaseFirst();
  assert.ok((await Promise.all(calls)).every(({ status }) => status === "admitted"));
  assert.equal(connections.status().pending, 3);
});

test("handshakes in progress count against max", async (t) => {
  const { clock, guard, mint } = await setUp();
  const gate = holdAdmissions(guard);
  const connections = createTestConnections(t, gate.guard, clock, { max: 2 });
  const under = [connections.admit(mint.token()), connections.admit(mint.token())];
  assert.equal((await connections.admit(mint.token())).status, "limited");
  for (const _ of under) void gate.releaseFirst();
  assert.ok((await Promise.all(under)).every(({ status }) => status === "admitted"));
});

test("law 6: the connection that waits longest for its token is closed at the limit, never one whose token is being checked", async (t) => {
  const { clock, guard, mint } = await setUp();
  const gate = holdAdmissions(guard);
  const connections = createTestConnections(t, gate.guard, clock, { maxPending: 3 });
  const transport = new TestTransport();
  const speaks = connections.expect(transport);
  const presenting = speaks.presentToken(mint.token());
  const silent = Array.from({ length: 1_000 }, () => new TestTransport());
  for (const one of silent) connections.expect(one);
  assert.equal(silent.filter(({ closed }) => closed?.code === 4429).length, 998);
  assert.deepEqual([silent.at(-1)?.closed, silent.at(-2)?.closed, transport.closed], [null, null, null]);
  void gate.releaseFirst();
  await presenting;
  assert.equal(transport.isOpened, true);
  await clock.advance(12_000);
  assert.deepEqual([connections.status().pending, connections.status().open], [0, 1]);
});

test("a stream of connections without a token does not exceed max", async () => {
  const { connections, mint } = await setUp({ max: 2, maxPending: 100 });
  const { transport } = await openConnection(connections, mint.token());
  const silent = Array.from({ length: 5 }, () => new TestTransport());
  for (const one of silent) connections.expect(one);
  assert.deepEqual(
    silent.map(({ closed }) => closed?.code),
    [4429, 4429, 4429, 4429, undefined],
  );
  assert.equal(transport.code, null);
});

test("fault 54: a drain closes all connections over its time, each with its own retry time", async (t) => {
  const { clock, guard, mint } = await setUp();
  let seed = 0;
  const random = () => (seed = (seed + 0.618) % 1);
  const connections = createTestConnections(t, guard, clock, { random, maxPerSubject: 1_000 });
  const transports: TestTransport[] = [];
  for (let i = 0; i < 200; i++) transports.push((await openConnection(connections, mint.token())).transport);
  const silent = new TestTransport();
  transports.push(silent);
  connections.expect(silent);
  const draining = connections.drain({ overMs: 2_000 });
  const refused = await connections.admit(mint.token());
  assert.ok(refused.status === "unavailable");
  assert.ok(refused.retryAfterMs > 0);
  const late = new TestTransport();
  connections.expect(late);
  assert.equal(late.closed?.code, 4453);
  const closedCount = () => transports.filter(({ closed }) => closed !== null).length;
  let before = closedCount();
  for (let step = 0; step < 40; step++) {
    await clock.advance(50);
    assert.ok(closedCount() - before <= 6, "each step closes only its share");
    before = closedCount();
  }
  await draining;
  assert.equal(closedCount(), 201);
  assert.ok(transports.every(({ closed }) => closed?.code === 4453));
  const hints = new Set(transports.map(({ closed }) => closed?.retryAfter));
  assert.ok(hints.size > 150);
  assert.ok([...hints].every((hint) => hint !== undefined && hint <= 10));
  assert.equal(connections.status().open, 0);
});

test("close during a drain closes the remaining connections at once, and leaves no timer", async () => {
  const { clock, connections, mint } = await setUp({ maxPerSubject: 1_000 });
  const transports = [];
  const admission = await connections.admit(mint.token());
  assert.ok(admission.status === "admitted");
  for (let i = 0; i < 100; i++) transports.push((await openConnection(connections, mint.token())).transport);
  const draining = connections.drain();
  await clock.advance(1_000);
  await Promise.all([connections.close(), connections.close()]);
  assert.ok(transports.every(({ closings }) => closings === 1));
  await clock.advance(100);
  await draining;
  assert.equal(clock.pending, 0);
  const [late, silent] = [new TestTransport(), new TestTransport()];
  connections.open(late, admission);
  connections.expect(silent);
  assert.deepEqual([late.code, late.isOpened, silent.code], [4453, false, 4453]);
  assert.equal(clock.pending, 0);
});

test("one timer serves all connections, and none is left after the last one closes", async () => {
  const { clock, connections, mint } = await setUp({ maxPerSubject: 1_000 });
  assert.equal(clock.pending, 0);
  const all = [];
  for (let i = 0; i < 100; i++) all.push(await openConnection(connections, mint.token()));
  for (let i = 0; i < 100; i++) connections.expect(new TestTransport());
  assert.equal(clock.pending, 1);
  await clock.advance(5_000);
  assert.equal(clock.pending, 1);
  for (const { connection } of all) connection.closed();
  await clock.advance(20_000);
  assert.deepEqual([connections.status().pending, clock.pending], [0, 0]);
  await openConnection(connections, mint.token());
  assert.equal(clock.pending, 1);
});

function listening(t: TestContext): ConnectionEvent[] {
  const heard: ConnectionEvent[] = [];
  const hear = (event: unknown) => void heard.push(event as ConnectionEvent);
  connectionEvents.subscribe(hear);
  t.after(() => connectionEvents.unsubscribe(hear));
  return heard;
}

test("each opening and closing emits an event with the close code and without the token", async (t) => {
  const heard = listening(t);
  const { connections, mint } = await setUp({ maxPerSubject: 1 }, { name: t.name });
  const token = mint.token();
  const { connection } = await openConnection(connections, token);
  await connection.presentToken(mint.token());
  await connections.admit(token);
  connection.closed();
  const other = await openConnection(connections, token);
  await other.connection.presentToken(mint.token({ sub: "another" }));
  const told = heard.filter(({ guard }) => guard === t.name);
  assert.deepEqual(
    told.map(({ event, code }) => [event, code]),
    [
      ["opened", null],
      ["refreshed", null],
      ["limited", null],
      ["closed", null],
      ["opened", null],
      ["closed", 4504],
    ],
  );
  assert.ok(!JSON.stringify(heard).includes("eyJ"));
  assert.deepEqual(connections.status(), {
    open: 0,
    pending: 0,
    degraded: 0,
    subjects: 0,
    refreshed: 1,
    limited: 1,
    closed: { 4504: 1 },
  });
});

test("rejects wrong options at creation, by name", async () => {
  const { guard } = await setUp();
  const wrong: [object, RegExp][] = [
    [{ maxx: 1 }, /createConnections has no option "maxx"/],
    [{ max: 0 }, /max must be a whole number of at least 1; got 0/],
    [{ recheckMs: 999 }, /recheckMs must be a whole number from 1000 to 86400000; got 999/],
    [{ warnMs: "soon" }, /warnMs must be a whole number .* got a string/],
    [{ random: 0.5 }, /random must be a function/],
    [{ clock: {} }, /createConnections needs clock with now\(\)/],
    [{ guard: { admit: () => {} } }, /createConnections needs guard with watch\(\), which it lacks/],
    [{ guard: undefined }, /createConnections: guard must be an object with admit, watch; got undefined/],
  ];
  for (const [options, message] of wrong) {
    assert.throws(() => createConnections({ guard, ...options }), { message });
  }
  const connections = createConnections({ guard });
  assert.throws(
    () => connections.expect(new TestTransport(), { scope: ["x"] } as never),
    /no option "scope"/,
  );
  await assert.rejects(connections.drain({ overMs: -1 }), /overMs must be a whole number/);
  await assert.rejects(connections.drain({ ms: 1 } as never), /drain has no option "ms"/);
  await connections.close();
});
