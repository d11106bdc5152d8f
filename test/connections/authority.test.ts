import assert from "node:assert/strict";
import { test } from "node:test";
import { createConnections } from "../../src/connections/index.ts";
import type { Clock } from "../../src/core/clock.ts";
import { seededRandom } from "../../src/testing/index.ts";
import { makeFixture, minute } from "../guard/degraded/fixture.ts";
import { createTestConnections, openConnection, TestTransport } from "./fixture.ts";

test("fault 51: after an outage the authority is asked about degraded tokens, and the invalid ones are closed", async (t) => {
  const { clock, guard, provider } = await makeFixture(t);
  const g = guard({ degraded: "local" });
  await g.ready();
  const connections = createTestConnections(t, g, clock);
  provider.fault("introspection", { refuse: true });
  await clock.advance(15_000);
  const tokens = Array.from({ length: 20 }, (_, i) => provider.token({ sub: `u${i}` }));
  const all = [];
  for (const token of tokens) all.push(await openConnection(connections, token));
  assert.equal(connections.status().degraded, 20);
  provider.revoke(tokens[3] ?? "");
  provider.restore();
  await clock.advance(25_000);
  assert.equal(connections.status().degraded, 0);
  for (const [i, { transport, connection }] of all.entries()) {
    if (i === 3) assert.deepEqual([transport.code, connection.state], [4503, "closed"]);
    else assert.deepEqual([transport.closed, connection.auth?.basis], [null, "authority"]);
  }
});

test("fault 54, fault 23, law 11: recovery rechecks 5,000 connections within seconds, each once, at most maxRechecks at a time", async (t) => {
  const { clock, guard, provider, asked, maxInFlight } = await makeFixture(t);
  const g = guard({ degraded: "local", memory: { maxBytes: 2 ** 27 } });
  await g.ready();
  const connections = createTestConnections(t, g, clock, { maxPerSubject: 5_000, random: Math.random });
  provider.fault("introspection", { refuse: true });
  await clock.advance(15_000);
  for (let i = 0; i < 5_000; i++) await openConnection(connections, provider.token());
  asked.length = 0;
  await clock.advance(20_000);
  assert.equal(asked.length, 0, "no question is sent while the breaker is open");
  provider.fault("introspection", { latencyMs: 20 });
  // The breaker closes when its probe succeeds.
  for (let i = 0; i < 100 && g.status().issuers[0]?.authority?.breaker !== "closed"; i++) {
    await clock.advance(200);
  }
  await clock.advance(10_000);
  assert.deepEqual([connections.status().open, connections.status().degraded], [5_000, 0]);
  assert.deepEqual([asked.length, new Set(asked).size], [5_000, 5_000]);
  assert.ok(maxInFlight() <= 32, String(maxInFlight()));
});

test("law 6: rechecks of many connections let other work run", async (t) => {
  const { clock, guard, provider, asked } = await makeFixture(t);
  const g = guard({ memory: { ttlMs: 1_000 } });
  await g.ready();
  let workedMs = 0;
  // Each look at the clock takes a quarter of a millisecond.
  const slow: Clock = {
    now: () => clock.now() + workedMs,
    monotonic: () => clock.monotonic() + (workedMs += 0.25),
    after: (ms, fn) => clock.after(ms, fn),
  };
  const connections = createConnections({ guard: g, clock: slow, recheckMs: 60_000, maxRechecks: 1 });
  t.after(async () => await connections.close());
  for (let i = 0; i < 200; i++) await openConnection(connections, provider.token({ sub: `user ${i}` }));
  await clock.advance(59_000);
  asked.length = 0;
  let worstMs = 0;
  let turnStartedAt = (workedMs = 0);
  let isWatching = true;
  const watch = () => {
    worstMs = Math.max(worstMs, workedMs - turnStartedAt);
    turnStartedAt = workedMs;
    if (isWatching) setImmediate(watch);
  };
  setImmediate(watch);
  for (let i = 0; i < 60 && asked.length < 200; i++) await clock.advance(1_000);
  isWatching = false;
  assert.equal(asked.length, 200);
  // A turn of a sweep and one of the rechecks can follow each other. Without turns it takes 30 ms.
  assert.ok(worstMs <= 15, `a turn took ${worstMs} ms`);
});

test("law 1, fault 51: the end of degraded mode closes connections with 4453, never as invalid", async (t) => {
  for (const mode of ["local", "cached"] as const) {
    const { clock, guard, provider } = await makeFixture(t);
    const g = guard({ degraded: { mode, maxMs: 10 * minute } });
    await g.ready();
    const { transport, connection } = await openConnection(
      createTestConnections(t, g, clock),
      provider.token(),
    );
    provider.fault("introspection", { refuse: true });
    await clock.advance(9 * minute);
    assert.notEqual(connection.auth?.degraded, null, "declared");
    assert.equal(transport.code, null);
    await clock.advance(2 * minute);
    assert.equal(transport.code, 4453);
    assert.ok((transport.closed?.retryAfter ?? 0) > 0);
  }
});

test("law 1: in mode deny a connection stays open for unconfirmedMs without an answer, then closes with 4453", async (t) => {
  const { clock, guard, provider } = await makeFixture(t);
  const g = guard();
  await g.ready();
  const connections = createTestConnections(t, g, clock, { unconfirmedMs: 2 * minute });
  const { transport, connection } = await openConnection(connections, provider.token());
  provider.fault("introspection", { status: 500 });
  await clock.advance(6 * minute);
  assert.equal(connection.receive("m", "m"), true);
  await clock.advance(2 * minute);
  assert.equal(transport.code, 4453);
});

test("an outage shorter than unconfirmedMs closes no connection, even where the endpoint's own mode is deny", async (t) => {
  const { clock, guard, provider } = await makeFixture(t);
  const g = guard({ degraded: "local" });
  await g.ready();
  const connections = createTestConnections(t, g, clock);
  const all = [];
  for (let i = 0; i < 50; i++)
    all.push(await openConnection(connections, provider.token(), { degraded: "deny" }));
  await clock.advance(5 * minute - 10_000);
  for (let outage = 0; outage < 10; outage++) {
    provider.fault("introspection", { refuse: true });
    await clock.advance(30_000);
    provider.restore();
    await clock.advance(30_000);
  }
  assert.ok(all.every(({ transport }) => transport.closed === null));
});

test("law 3: a token that the authority refuses is closed at the next recheck at the latest, an opaque token too", async (t) => {
  const { clock, guard, provider } = await makeFixture(t);
  const g = guard({ memory: { ttlMs: minute } });
  await g.ready();
  const connections = createTestConnections(t, g, clock, { recheckMs: 2 * minute });
  const tokens = [provider.token(), provider.opaqueToken()] as const;
  const jwt = await openConnection(connections, tokens[0]);
  const opaque = await openConnection(connections, tokens[1]);
  for (const token of tokens) provider.revoke(token);
  await clock.advance(3 * minute);
  assert.equal(jwt.transport.code, 4503);
  assert.equal(
    opaque.transport.code,
    4501,
    "an opaque token that is refused is not known to have been valid",
  );
});

test("law 3, fault 25: a late refusal of an accepted token closes its connections", async (t) => {
  const { clock, guard, provider } = await makeFixture(t);
  const g = guard({ degraded: "local" });
  await g.ready();
  const connections = createTestConnections(t, g, clock);
  const token = provider.token();
  provider.revoke(token);
  provider.fault("introspection", { latencyMs: 1_000 });
  const transport = new TestTransport();
  const admitting = connections.admit(token);
  await clock.advance(100);
  const admission = await admitting;
  assert.ok(admission.status === "admitted");
  const connection = connections.open(transport, admission);
  assert.notEqual(connection.auth?.degraded, null);
  await clock.advance(899);
  assert.equal(transport.code, null);
  await clock.advance(12);
  assert.equal(transport.code, 4503);
});

test("law 9: an endpoint in mode deny keeps no degraded connection", async (t) => {
  const { clock, guard, provider } = await makeFixture(t);
  const g = guard({ degraded: "local" });
  await g.ready();
  const connections = createTestConnections(t, g, clock);
  const strict = await openConnection(connections, provider.token(), { degraded: "deny" });
  const lax = await openConnection(connections, provider.token());
  provider.fault("introspection", { refuse: true });
  const refused = await connections.admit(provider.token(), { degraded: "deny" });
  assert.equal(refused.status, "unavailable");
  await clock.advance(8 * minute);
  assert.equal(strict.transport.code, 4453);
  assert.equal(lax.transport.code, null);
});

test("a scope that the authority withdraws is gone from its next answer on", async (t) => {
  const { clock, guard, provider, respondWith } = await makeFixture(t);
  const g = guard();
  await g.ready();
  const connections = createTestConnections(t, g, clock);
  const token = provider.token({ scope: "chat admin" });
  const free = await openConnection(connections, token);
  const needs = await openConnection(connections, token, { scopes: ["admin"] });
  respondWith({ active: true, scope: "chat" });
  await clock.advance(13 * minute);
  assert.deepEqual(free.connection.auth?.scopes, ["chat"]);
  assert.equal(needs.transport.code, 4502);
});

test("an earlier expiry from the authority is announced and enforced", async (t) => {
  const { clock, guard, provider, respondWith } = await makeFixture(t);
  const g = guard();
  await g.ready();
  const { transport } = await openConnection(createTestConnections(t, g, clock), provider.token());
  respondWith({ active: true, exp: clock.now() / 1000 + 20 * 60 });
  await clock.advance(18 * minute);
  assert.equal(transport.sent.length, 1);
  await clock.advance(2 * minute);
  assert.equal(transport.last?.["type"], "auth.expiring");
  await clock.advance(minute);
  assert.equal(transport.code, 4401);
});

test("law 1: an answer about another subject counts as no answer, for an opaque token that is no longer cached too", async (t) => {
  const { clock, guard, provider, respondWith } = await makeFixture(t);
  // This result cache is too small to keep any result.
  const g = guard({ memory: { maxBytes: 1 } });
  await g.ready();
  const connections = createTestConnections(t, g, clock, { unconfirmedMs: 0 });
  const { transport, connection } = await openConnection(connections, provider.opaqueToken({ sub: "alice" }));
  const exp = clock.now() / 1000 + 3_600;
  respondWith({ active: true, sub: "bob", aud: "https://api.example", exp });
  await clock.advance(7 * minute);
  assert.equal(connection.auth?.subject, "alice");
  assert.equal(transport.code, 4453);
  assert.deepEqual([connections.status().open, connections.status().subjects], [0, 0]);
});

test("an earlier confirmation is enough during an outage, even when the result cache has evicted it", async (t) => {
  const { clock, guard, provider } = await makeFixture(t);
  const g = guard({ degraded: "cached", memory: { maxBytes: 1 } });
  await g.ready();
  const { transport, connection } = await openConnection(
    createTestConnections(t, g, clock),
    provider.token(),
  );
  provider.fault("introspection", { refuse: true });
  await clock.advance(20 * minute);
  assert.equal(transport.code, null);
  assert.notEqual(connection.auth?.degraded, null);
});

test("after a suspend the authority is asked at once, because the age of its answers counts wall-clock time", async (t) => {
  const { clock, guard, provider } = await makeFixture(t);
  const g = guard();
  await g.ready();
  const token = provider.token();
  const { transport } = await openConnection(createTestConnections(t, g, clock), token);
  provider.revoke(token);
  await clock.advance(10_000);
  assert.equal(transport.code, null);
  clock.suspend(10 * minute);
  await clock.advance(2_000);
  assert.equal(transport.code, 4503);
});

test("law 1: missing answers about the previous token do not count against its replacement", async (t) => {
  const { clock, guard, provider, asked } = await makeFixture(t);
  const g = guard({ memory: { ttlMs: minute } });
  await g.ready();
  const connections = createTestConnections(t, g, clock, { recheckMs: 2 * minute, unconfirmedMs: 0 });
  const old = provider.token();
  const { transport, connection } = await openConnection(connections, old);
  await clock.advance(2 * minute - 500);
  provider.fault("introspection", { hang: true, times: 1 });
  await clock.advance(1_000);
  assert.deepEqual(asked, [old, old]);
  await connection.presentToken(provider.token());
  assert.equal(transport.last?.["type"], "auth.ok");
  await clock.advance(5_000);
  assert.equal(transport.code, null);
});

test("fault 54: a thousand clients that connect again at their retry times are admitted without a burst at the authority", async (t) => {
  const { clock, guard, provider, asked, maxInFlight } = await makeFixture(t);
  const [leaving, other] = [guard(), guard()];
  await Promise.all([leaving.ready(), other.ready()]);
  const options = { maxPerSubject: 1_000, random: seededRandom(7) };
  const [first, second] = [leaving, other].map((g) => createTestConnections(t, g, clock, options));
  assert.ok(first && second);
  const clients: { token: string; transport: TestTransport }[] = [];
  for (let i = 0; i < 1_000; i++) {
    const token = provider.token();
    clients.push({ token, ...(await openConnection(first, token)) });
  }
  asked.length = 0;
  provider.fault("introspection", { latencyMs: 20 });
  await first.close();
  const statuses: string[] = [];
  const reconnect = async (token: string) => void statuses.push((await second.admit(token)).status);
  for (const { token, transport } of clients) {
    clock.after((transport.closed?.retryAfter ?? 0) * 1_000, () => void reconnect(token));
  }
  await clock.advance(11_000);
  assert.deepEqual([statuses.length, [...new Set(statuses)]], [1_000, ["admitted"]]);
  assert.equal(asked.length, 1_000);
  assert.ok(maxInFlight() <= 12, String(maxInFlight()));
});
