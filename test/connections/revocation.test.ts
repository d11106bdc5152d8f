import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { Clock } from "../../src/core/clock.ts";
import { createConnections } from "../../src/connections/index.ts";
import { jwks } from "../../src/index.ts";
import { makeWorld as outageWorld } from "../guard/degraded/fixture.ts";
import { makeWorld } from "../guard/fixture.ts";
import { createTestConnections, holdAdmissions, openConnection, TestTransport } from "./fixture.ts";

async function following(t: TestContext, options: { maxRevocationAgeMs?: number } = {}) {
  const here = await makeWorld();
  const guard = here.guard({ revocations: here.log, ...options });
  t.after(async () => await guard.close());
  await guard.ready();
  return { ...here, guard, connections: createTestConnections(t, guard, here.clock) };
}

test("law 3: who is revoked is closed within 10 ms, by token, session, subject or key, and nobody else is", async (t) => {
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
  assert.equal(byToken.connection.receive("m", "m"), false, "at once, where it speaks");
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

test("law 3: what was revoked between handshake and opening is closed, and the application does not hear of it", async (t) => {
  const { connections, mint, revoke } = await following(t);
  const admission = await connections.admit(mint.token({ sid: "s1" }));
  assert.ok(admission.status === "admitted");
  await revoke("session", "s1");
  const transport = new TestTransport();
  const connection = connections.open(transport, admission);
  assert.deepEqual([transport.code, transport.isOpened, connection.state], [4503, false, "closed"]);
});

test("law 3: who is revoked while another token is checked is closed, and does not wait for that", async (t) => {
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

test("law 3: among revocations without end the one that concerns somebody is seen as soon", async (t) => {
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

const looks: [what: string, ownMs: number, othersMs: number, withinMs: number][] = [
  ["a look that takes long puts off what is revoked meanwhile by a second at most", 400, 0, 1_000],
  ["what others do during a look does not put off what is revoked meanwhile", 6, 400, 100],
];
for (const [what, ownMs, othersMs, withinMs] of looks) {
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
    assert.equal(second.transport.code, null, "it was looked at before");
    await clock.advance(withinMs);
    assert.equal(second.transport.code, 4503);
  });
}

test("law 6: however often something is revoked, looking at everybody takes a tenth of the time", async (t) => {
  const { clock, guard, mint, revoke } = await following(t);
  let lookedMs = 0;
  const members = 20;
  // Each look at one of them takes a millisecond.
  const slow: Clock = {
    now: () => {
      lookedMs++;
      return clock.now() + lookedMs;
    },
    monotonic: () => clock.monotonic() + lookedMs,
    after: (ms, fn) => clock.after(ms, fn),
  };
  const connections = createConnections({ guard, clock: slow });
  t.after(async () => await connections.close());
  for (let i = 0; i < members; i++) await openConnection(connections, mint.token());
  lookedMs = 0;
  for (let i = 0; i < 1_000; i++) {
    await revoke("session", `other${i}`);
    await clock.advance(1);
  }
  assert.ok(lookedMs >= members && lookedMs <= 150, `${lookedMs} ms of 1,000`);
});

test("law 1, fault 49: a view of revocations that is too old closes with 4453 and a time to come back", async (t) => {
  const { clock, connections, mint, log } = await following(t, { maxRevocationAgeMs: 30_000 });
  const lax = await openConnection(connections, mint.token());
  const strict = await openConnection(connections, mint.token(), { maxRevocationAgeMs: 5_000 });
  await clock.advance(60_000);
  assert.deepEqual([lax.transport.closed, strict.transport.closed], [null, null]);
  log.after = async () => await Promise.reject(new Error("the bus is cut"));
  await clock.advance(8_000);
  assert.equal(strict.transport.code, 4453);
  assert.equal(lax.transport.code, null);
  await clock.advance(24_000);
  assert.deepEqual(lax.transport.closed, { code: 4453, error: "try_later", retryAfter: 6 });
});

test("law 1: keys that are distrusted prove nothing any more: 4453 until another set is there", async (t) => {
  const { clock, guard, provider } = await outageWorld(t);
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

test("a guard that was closed first closes its connections with 4453, never as invalid", async (t) => {
  const { clock, guard, connections, mint } = await following(t);
  const { transport, connection } = await openConnection(connections, mint.token());
  await guard.close();
  await clock.advance(1_000);
  assert.equal(transport.code, 4453);
  assert.equal(connection.current().status, "unavailable");
});
