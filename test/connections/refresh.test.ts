import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { createGuard, staticKeys } from "../../src/index.ts";
import { createMint, FakeClock } from "../../src/testing/index.ts";
import { makeFixture, minute, type Fixture } from "../guard/degraded/fixture.ts";
import {
  audience,
  createTestConnections,
  holdAdmissions,
  issuer,
  openConnection,
  TestTransport,
  tokenMessage,
  setUp,
} from "./fixture.ts";

test("fault 50: a new token of another subject closes the connection with 4504", async () => {
  const { connections, mint } = await setUp();
  const { transport, connection } = await openConnection(connections, mint.token({ sub: "alice" }));
  await connection.presentToken(mint.token({ sub: "bob" }));
  assert.deepEqual(transport.closed, { code: 4504, error: "other_subject", retryAfter: undefined });
  assert.deepEqual([connections.status().open, connections.status().subjects], [0, 0]);
});

test("fault 50: the same subject at another issuer is another subject", async (t) => {
  const clock = new FakeClock();
  const [ours, theirs] = await Promise.all(
    [issuer, "https://other.example"].map(async (one) => await createMint({ issuer: one, audience, clock })),
  );
  assert.ok(ours && theirs);
  const issuers = [ours, theirs].map((mint) => ({
    issuer: mint.issuer,
    audience,
    keys: staticKeys(mint.jwks()),
  }));
  const guard = createGuard({ issuers, clock });
  const connections = createTestConnections(t, guard, clock);
  const { transport, connection } = await openConnection(connections, ours.token());
  await openConnection(connections, theirs.token());
  assert.equal(connections.status().subjects, 2);
  await connection.presentToken(theirs.token());
  assert.equal(transport.code, 4504);
});

test("fault 50: tokens without a subject are told apart by their client", async () => {
  const { connections, mint } = await setUp({ maxPerSubject: 1 }, { requiredClaims: [] });
  const token = (client_id: string) => mint.token({ sub: undefined, client_id });
  const { transport, connection } = await openConnection(connections, token("one"));
  await openConnection(connections, token("one"));
  await connection.presentToken(token("one"));
  assert.equal(transport.code, null, "maxPerSubject does not apply without a subject");
  await connection.presentToken(token("two"));
  assert.equal(transport.code, 4504);
});

test("fault 50: a token without a subject is told apart by its session and its client", async () => {
  const { connections, mint } = await setUp({ maxPerSubject: 2 }, { requiredClaims: [] });
  const tokenOf = (sid: string, azp: string) => mint.token({ sub: undefined, sid, azp });
  const others: [string, Record<string, unknown>][] = [
    ["another session", { sub: undefined, sid: "bob", azp: "web" }],
    ["another client", { sub: undefined, sid: "ann", azp: "other" }],
    ["a subject", { sub: "ann", sid: "ann", azp: "web" }],
    ["nothing at all", { sub: undefined, sid: undefined, azp: undefined }],
  ];
  for (const [what, claims] of others) {
    const { transport, connection } = await openConnection(connections, tokenOf("ann", "web"));
    await connection.presentToken(tokenOf("ann", "web"));
    assert.equal(transport.code, null, what);
    await connection.presentToken(mint.token(claims));
    assert.equal(transport.code, 4504, what);
  }
  const { transport, connection } = await openConnection(connections, mint.token({ sub: undefined }));
  await connection.presentToken(mint.token({ sub: undefined }));
  assert.equal(transport.code, 4504, "a token that names no one replaces no other");
});

test("law 6: the limit of connections counts a session whose tokens have no subject", async () => {
  const { connections, mint } = await setUp({ maxPerSubject: 1 }, { requiredClaims: [] });
  const token = mint.token({ sub: undefined, sid: "ann", azp: "web" });
  await openConnection(connections, token);
  assert.equal((await connections.admit(token)).status, "limited");
});

test("fault 50: a refresh with fewer scopes takes effect at once, and closes with 4502 where the endpoint requires them", async () => {
  const { connections, mint } = await setUp();
  const { transport, connection } = await openConnection(connections, mint.token({ scope: "chat admin" }));
  await connection.presentToken(mint.token({ scope: "chat" }));
  assert.deepEqual(connection.auth?.scopes, ["chat"]);
  assert.equal(transport.last?.["scope"], "chat");
  const needs = await openConnection(connections, mint.token({ scope: "chat admin" }), { scopes: ["admin"] });
  await needs.connection.presentToken(mint.token({ scope: "chat" }));
  assert.deepEqual(needs.transport.closed, {
    code: 4502,
    error: "insufficient_scope",
    retryAfter: undefined,
  });
});

test("an invalid new token changes nothing, and a peer may try again up to a limit", async () => {
  const { clock, connections, mint } = await setUp();
  const { transport, connection } = await openConnection(connections, mint.token());
  await connection.presentToken("nonsense");
  await connection.presentToken(mint.token({ exp: 1 }));
  connection.receive("{", '{"type":"auth.token","token":7}');
  connection.receive("{", '{"type":"auth.token"');
  await clock.advance(1);
  const errors = transport.sent.slice(1).map(({ error }) => error);
  assert.deepEqual(errors, ["invalid_token", "invalid_token", "invalid_request", "invalid_request"]);
  assert.equal(connection.receive("m", "m"), true);
  // One token a second is always within the limit.
  for (let i = 0; i < 100; i++) {
    await connection.presentToken("nonsense");
    await clock.advance(1_000);
  }
  assert.equal(transport.code, null);
  const answers = transport.sent.length;
  for (let i = 0; i < 1_000; i++) await connection.presentToken(mint.token());
  assert.equal(transport.code, 4429);
  assert.ok(transport.sent.length - answers <= 30);
});

test("law 6: a peer that does not read gets a limited number of answers, whatever it sends", async () => {
  const { connections, mint } = await setUp();
  for (const text of ['{"type":"auth.token","token":"x"}', '{"type":"auth.', tokenMessage(mint.token())]) {
    const { transport, connection } = await openConnection(connections, mint.token());
    for (let i = 0; i < 1_000; i++) connection.receive(text, text);
    assert.equal(transport.code, 4429);
    assert.ok(transport.sent.length <= 31);
  }
});

test("a token that arrives while another is checked is refused as busy, and the first one takes effect", async (t) => {
  const fixture = await setUp();
  const { guard, releaseFirst, pendingCount } = holdAdmissions(fixture.guard);
  const transport = new TestTransport();
  const connection = createTestConnections(t, guard, fixture.clock).expect(transport);
  const first = connection.presentToken(fixture.mint.token({ scope: "one" }));
  await connection.presentToken(fixture.mint.token({ scope: "two" }));
  assert.deepEqual(transport.sent, [{ type: "auth.refused", error: "busy", retry_after: 1 }]);
  assert.equal(pendingCount(), 1);
  void releaseFirst();
  await first;
  assert.deepEqual(connection.auth?.scopes, ["one"]);
});

/** Opens a connection whose guard asks an authority. Tokens live for `lifetimeMs`. */
async function openWithAuthority(
  t: TestContext,
  lifetimeMs: number,
  options: Parameters<Fixture["guard"]>[0] = {},
) {
  const { clock, guard, provider } = await makeFixture(t, lifetimeMs);
  const withAuthority = guard(options);
  await withAuthority.ready();
  const connections = createTestConnections(t, withAuthority, clock);
  const opened = await openConnection(connections, provider.token());
  return { clock, provider, connections, ...opened };
}

test("fault 50, law 10: during an outage of the authority one refresh is accepted, declared degraded and limited", async (t) => {
  const { clock, provider, connections, transport, connection } = await openWithAuthority(t, 10 * minute, {
    degraded: { mode: "local", maxMs: 20 * minute },
  });
  assert.equal(connection.auth?.degraded, null);
  provider.fault("introspection", { refuse: true });
  await clock.advance(9 * minute);
  await connection.presentToken(provider.token());
  assert.equal(transport.last?.["degraded"], "authority_unavailable");
  assert.equal(connections.status().degraded, 1);
  await clock.advance(9 * minute);
  await connection.presentToken(provider.token());
  const { type, error, retry_after } = transport.last ?? {};
  assert.deepEqual([type, error], ["auth.refused", "temporarily_unavailable"]);
  assert.ok((retry_after as number) >= 1);
  assert.equal(transport.code, null);
  await clock.advance(2 * minute);
  // The token expired, and the client could not get another one, so it may try again later.
  assert.equal(transport.code, 4453);
});

test("fault 50: after the authority confirms a degraded refresh, another one is possible", async (t) => {
  const { clock, provider, transport, connection } = await openWithAuthority(t, 10 * minute, {
    degraded: "local",
  });
  for (let outage = 0; outage < 3; outage++) {
    provider.fault("introspection", { refuse: true });
    await clock.advance(5 * minute);
    await connection.presentToken(provider.token());
    assert.equal(transport.last?.["type"], "auth.ok");
    assert.notEqual(connection.auth?.degraded, null);
    provider.restore();
    await clock.advance(minute);
    assert.equal(connection.auth?.degraded, null);
  }
  assert.equal(transport.code, null);
});

test("fault 50, law 1: in mode deny a refresh during an outage is refused for now, and the connection lasts as long as its token", async (t) => {
  const { clock, provider, transport, connection } = await openWithAuthority(t, 4 * minute);
  provider.fault("introspection", { refuse: true });
  await clock.advance(3 * minute);
  await connection.presentToken(provider.token());
  assert.equal(transport.last?.["error"], "temporarily_unavailable");
  assert.equal(connection.receive("m", "m"), true);
  await clock.advance(2 * minute);
  assert.equal(transport.code, 4453);
});

test("fault 48: after a refused refresh was repeated with success, an expiry closes with 4401 again", async (t) => {
  const { clock, provider, transport, connection } = await openWithAuthority(t, 10 * minute);
  provider.fault("introspection", { refuse: true });
  await connection.presentToken(provider.token());
  assert.equal(transport.last?.["error"], "temporarily_unavailable");
  provider.restore();
  await clock.advance(minute);
  await connection.presentToken(provider.token());
  assert.equal(transport.last?.["type"], "auth.ok");
  await clock.advance(11 * minute);
  assert.equal(transport.code, 4401);
});

test("a connection that closes while messages wait is read again, so that the peer's close frame arrives", async (t) => {
  const fixture = await setUp();
  const { guard } = holdAdmissions(fixture.guard);
  const connections = createTestConnections(t, guard, fixture.clock);
  const transport = new TestTransport();
  const connection = connections.expect(transport);
  void connection.presentToken(fixture.mint.token());
  connection.receive("m", "m");
  assert.equal(transport.isPaused, true);
  await connections.close();
  assert.deepEqual([transport.code, transport.isPaused, transport.delivered], [4453, false, []]);
});
