import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { Clock } from "../../src/core/clock.ts";
import { createConnections } from "../../src/connections/index.ts";
import { jwks } from "../../src/index.ts";
import { makeFixture as makeOutageFixture } from "../guard/degraded/fixture.ts";
import { makeFixture } from "../guard/fixture.ts";
import { createTestConnections, holdAdmissions, openConnection, TestTransport } from "./fixture.ts";

async function following(t: TestContext, options: { maxRevocationAgeMs?: number } = {}) {
  const fixture = await makeFixture();
  const guard = fixture.guard({ revocations: fixture.log, ...options });
  t.after(async () => await guard.close());
  await guard.ready();
  return { ...fixture, guard, connections: createTestConnections(t, guard, fixture.clock) };
}

test("law 3: a revocation of a token, session, subject or key closes its connections within 10 ms, and no others", async (t) => {
  const { clock, connections, mint, revoke, revokeSubject } = await following(t);
  const open = async (claims: object) => await openConnection(connections, mint.token({ ...claims }));
  const [byToken, bySession, bySubject, other] = [
    await open({ jti: "t1" }),
    await open({ sid: "s1" }),
    await open({ sub: "alice", iat: 0 }),
    await open({ sub: "bob", sid: "s2", jti: "t2" }),
  ];
  await revoke("token", "t1");
  await revoke("session", "s1");
  await revokeSubject("alice");
  assert.equal(byToken.connection.receive("m", "m"), false, "a message is refused at once");
  await clock.advance(10);
  for (const { transport } of [byToken, bySession, bySubject]) {
    assert.deepEqual(transport.closed, { code: 4503, error: "token_revoked", retryAfter: undefined });
  }
  assert.equal(other.transport.code, null);
  await revoke("key", mint.kid ?? "");
  await clock.advance(10);
  assert.equal(other.transport.code, 4503);
  assert.deepEqual(connections.status().closed, { 4503: 4 });
});

test("law 3: a token that is revoked between handshake and opening is closed, and the application does not see it", async (t) => {
  const { connections, mint, revoke } = await following(t);
  const admission = await connections.admit(mint.token({ sid: "s1" }));
  assert.ok(admission.status === "admitted");
  await revoke("session", "s1");
  const transport = new TestTransport();
  const connection = connections.open(transport, admission);
  assert.deepEqual([transport.code, transport.isOpened, connection.state], [4503, false, "closed"]);
});

test("law 3: a revocation closes the connection at once, even while a new token is checked", async (t) => {
  const { clock, guard, mint, revoke } = await following(t);
  const gate = holdAdmissions(guard);
  const connections = createTestConnections(t, gate.guard, clock);
  const admission = await guard.admit(mint.token({ sid: "s1" }));
  assert.ok(admission.status === "admitted");
  const transport = new TestTransport();
  const connection = connections.open(transport, admission);
  const presenting = connection.presentToken(mint.token({ sid: "s2" }));
  await revoke("session", "s1");
  assert.equal(connection.receive("m", "m"), false);
  assert.equal(transport.code, 4503);
  void gate.releaseFirst();
  await presenting;
  assert.deepEqual([transport.delivered, transport.closings], [[], 1]);
});

test("law 3: a stream of other revocations does not delay the one that concerns a connection", async (t) => {
  const { clock, connections, mint, revoke } = await following(t);
  const { transport } = await openConnection(connections, mint.token({ sid: "last" }));
  for (let i = 0; i < 200; i++) {
    await revoke("session", `other${i}`);
    await clock.advance(1);
  }
  await revoke("session", "last");
  await clock.advance(10);
  assert.equal(transport.code, 4503);
});

const delays: [what: string, ownMs: number, othersMs: number, withinMs: number][] = [
  ["a slow sweep delays the next revocation by at most a second", 400, 0, 1_000],
  ["other work during a sweep does not delay the next revocation", 6, 400, 100],
];
for (const [what, ownMs, othersMs, withinMs] of delays) {
  test(`law 3: ${what}`, async (t) => {
    const { clock, guard, mint, revoke } = await following(t);
    let lateMs = 0;
    const slow: Clock = {
      now: () => clock.now() + lateMs,
      monotonic: () => clock.monotonic() + lateMs,
      after: (ms, fn) => clock.after(ms, fn),
    };
    const connections = createConnections({ guard, clock: slow });
    t.after(async () => await connections.close());
    const second = await openConnection(connections, mint.token({ sid: "second" }));
    const first = await openConnection(connections, mint.token({ sid: "first" }));
    first.transport.close = () => {
      lateMs += ownMs;
      setImmediate(() => (lateMs += othersMs));
      void revoke("session", "second");
    };
    await revoke("session", "first");
    await clock.advance(10);
    assert.equal(second.transport.code, null, "the sweep has passed it already");
    await clock.advance(withinMs);
    assert.equal(second.transport.code, 4503);
  });
}

test("law 6: sweeps take a tenth of the time at most, however often something is revoked", async (t) => {
  const { clock, guard, mint, revoke } = await following(t);
  let sweptMs = 0;
  const size = 20;
  // Each check of one connection takes a millisecond.
  const slow: Clock = {
    now: () => {
      sweptMs++;
      return clock.now() + sweptMs;
    },
    monotonic: () => clock.monotonic() + sweptMs,
    after: (ms, fn) => clock.after(ms, fn),
  };
  const connections = createConnections({ guard, clock: slow });
  t.after(async () => await connections.close());
  for (let i = 0; i < size; i++) await openConnection(connections, mint.token());
  sweptMs = 0;
  for (let i = 0; i < 1_000; i++) {
    await revoke("session", `other${i}`);
    await clock.advance(1);
  }
  assert.ok(sweptMs >= size && sweptMs <= 150, `${sweptMs} ms of 1,000`);
});

test("law 6: a sweep of many connections lets other work run every 5 ms", async (t) => {
  const { clock, guard, mint } = await following(t);
  let workedMs = 0;
  // Each look at the clock takes a quarter of a millisecond.
  const slow: Clock = {
    now: () => clock.now() + workedMs,
    monotonic: () => clock.monotonic() + (workedMs += 0.25),
    after: (ms, fn) => clock.after(ms, fn),
  };
  const connections = createConnections({ guard, clock: slow });
  t.after(async () => await connections.close());
  for (let i = 0; i < 200; i++) await openConnection(connections, mint.token({ sub: `user ${i}` }));
  const turns: number[] = [];
  let turnStartedAt = (workedMs = 0);
  let isWatching = true;
  const watch = () => {
    turns.push(workedMs - turnStartedAt);
    turnStartedAt = workedMs;
    if (isWatching) setImmediate(watch);
  };
  setImmediate(watch);
  await clock.advance(1_000);
  while (turns.at(-1) !== 0) await new Promise<void>((next) => setImmediate(next));
  isWatching = false;
  assert.ok(workedMs >= 50, `the sweep took ${workedMs} ms`);
  assert.ok(Math.max(...turns) <= 6, `a turn took ${Math.max(...turns)} ms`);
});

test("law 1, fault 49: a revocation view that is too old closes connections with 4453 and a retry time", async (t) => {
  const { clock, connections, mint, log } = await following(t, { maxRevocationAgeMs: 30_000 });
  const lax = await openConnection(connections, mint.token());
  const strict = await openConnection(connections, mint.token(), { maxRevocationAgeMs: 5_000 });
  await clock.advance(60_000);
  assert.deepEqual([lax.transport.closed, strict.transport.closed], [null, null]);
  log.after = async () => await Promise.reject(new Error("the log cannot be read"));
  await clock.advance(8_000);
  assert.equal(strict.transport.code, 4453);
  assert.equal(lax.transport.code, null);
  await clock.advance(24_000);
  assert.deepEqual(lax.transport.closed, { code: 4453, error: "try_later", retryAfter: 6 });
});

test("law 1: distrusted keys close connections with 4453 until another key set is fetched", async (t) => {
  const { clock, guard, provider } = await makeOutageFixture(t);
  const g = guard({ keys: jwks(provider.url("jwks"), { fetch: provider.fetch }) });
  await g.ready();
  const { transport, connection } = await openConnection(
    createTestConnections(t, g, clock),
    provider.token(),
  );
  provider.fault("jwks", { refuse: true });
  g.distrustKeys();
  assert.equal(connection.receive("m", "m"), false);
  assert.equal(transport.code, 4453);
});

test("connections close with 4453, never as invalid, when their guard is closed first", async (t) => {
  const { clock, guard, connections, mint } = await following(t);
  const { transport, connection } = await openConnection(connections, mint.token());
  await guard.close();
  await clock.advance(1_000);
  assert.equal(transport.code, 4453);
  assert.equal(connection.current().status, "unavailable");
});
