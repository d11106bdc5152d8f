import assert from "node:assert/strict";
import { test } from "node:test";
import { createGuard, staticKeys } from "../../../src/index.ts";
import { createMint, FakeClock } from "../../../src/testing/index.ts";
import { makeWorld, minute } from "../degraded/world.ts";
import { audience, connectionsOf, gated, issuer, opened, TestLine, tokenMessage, world } from "./world.ts";

test("fault 50: a token of another subject ends the connection: 4504", async () => {
  const { connections, mint } = await world();
  const { line, connection } = await opened(connections, mint.token({ sub: "alice" }));
  await connection.present(mint.token({ sub: "bob" }));
  assert.deepEqual(line.closed, { code: 4504, error: "other_subject", retryAfter: undefined });
  assert.deepEqual([connections.status().open, connections.status().subjects], [0, 0]);
});

test("fault 50: the same name at another issuer is another subject", async (t) => {
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
  const connections = connectionsOf(t, guard, clock);
  const { line, connection } = await opened(connections, ours.token());
  await opened(connections, theirs.token());
  assert.equal(connections.status().subjects, 2);
  await connection.present(theirs.token());
  assert.equal(line.code, 4504);
});

test("fault 50: tokens without a subject are of one client, or of another", async () => {
  const { connections, mint } = await world({ maxPerSubject: 1 }, { requiredClaims: [] });
  const token = (client_id: string) => mint.token({ sub: undefined, client_id });
  const { line, connection } = await opened(connections, token("one"));
  await opened(connections, token("one"));
  await connection.present(token("one"));
  assert.equal(line.code, null, "no subject has too many");
  await connection.present(token("two"));
  assert.equal(line.code, 4504);
});

test("fault 50: fewer scopes count at once, and 4502 where the endpoint needs them", async () => {
  const { connections, mint } = await world();
  const { line, connection } = await opened(connections, mint.token({ scope: "chat admin" }));
  await connection.present(mint.token({ scope: "chat" }));
  assert.deepEqual(connection.auth?.scopes, ["chat"]);
  assert.equal(line.last?.["scope"], "chat");
  const needs = await opened(connections, mint.token({ scope: "chat admin" }), { scopes: ["admin"] });
  await needs.connection.present(mint.token({ scope: "chat" }));
  assert.deepEqual(needs.line.closed, { code: 4502, error: "insufficient_scope", retryAfter: undefined });
});

test("a new token that is no good changes nothing, and a peer may try again, but not for ever", async () => {
  const { clock, connections, mint } = await world();
  const { line, connection } = await opened(connections, mint.token());
  await connection.present("nonsense");
  await connection.present(mint.token({ exp: 1 }));
  connection.takes("{", '{"type":"auth.token","token":7}');
  connection.takes("{", '{"type":"auth.token"');
  await clock.advance(1);
  const errors = line.sent.slice(1).map(({ error }) => error);
  assert.deepEqual(errors, ["invalid_token", "invalid_token", "invalid_request", "invalid_request"]);
  assert.equal(connection.takes("m", "m"), true);
  // One a second for as long as it likes.
  for (let i = 0; i < 100; i++) {
    await connection.present("nonsense");
    await clock.advance(1_000);
  }
  assert.equal(line.code, null);
  const answers = line.sent.length;
  for (let i = 0; i < 1_000; i++) await connection.present(mint.token());
  assert.equal(line.code, 4429);
  assert.ok(line.sent.length - answers <= 30);
});

test("law 6: a peer that does not read is not answered without end, whatever it sends", async () => {
  const { connections, mint } = await world();
  for (const text of ['{"type":"auth.token","token":"x"}', '{"type":"auth.', tokenMessage(mint.token())]) {
    const { line, connection } = await opened(connections, mint.token());
    for (let i = 0; i < 1_000; i++) connection.takes(text, text);
    assert.equal(line.code, 4429);
    assert.ok(line.sent.length <= 31);
  }
});

test("while one token is checked another is refused as busy, and the first one counts", async (t) => {
  const here = await world();
  const { guard, go, waiting } = gated(here.guard);
  const line = new TestLine();
  const connection = connectionsOf(t, guard, here.clock).expect(line);
  const first = connection.present(here.mint.token({ scope: "one" }));
  await connection.present(here.mint.token({ scope: "two" }));
  assert.deepEqual(line.sent, [{ type: "auth.refused", error: "busy", retry_after: 1 }]);
  assert.equal(waiting(), 1);
  void go();
  await first;
  assert.deepEqual(connection.auth?.scopes, ["one"]);
});

test("fault 50, law 10: while the authority is down a token is taken once in another's place, declared and bounded", async (t) => {
  const { clock, guard, provider } = await makeWorld(t, 10 * minute);
  const g = guard({ degraded: { mode: "local", maxMs: 20 * minute } });
  await g.ready();
  const connections = connectionsOf(t, g, clock);
  const { line, connection } = await opened(connections, provider.token());
  assert.equal(connection.auth?.degraded, null);
  provider.fault("introspection", { refuse: true });
  await clock.advance(9 * minute);
  await connection.present(provider.token());
  assert.equal(line.last?.["degraded"], "authority_unavailable");
  assert.equal(connections.status().degraded, 1);
  await clock.advance(9 * minute);
  await connection.present(provider.token());
  const { type, error, retry_after } = line.last ?? {};
  assert.deepEqual([type, error], ["auth.refused", "temporarily_unavailable"]);
  assert.ok((retry_after as number) >= 1);
  assert.equal(line.code, null);
  await clock.advance(2 * minute);
  // Its token has ended, and that there is no other is not its fault.
  assert.equal(line.code, 4453);
});

test("fault 50: after the authority has confirmed it, an extended connection may be extended again", async (t) => {
  const { clock, guard, provider } = await makeWorld(t, 10 * minute);
  const g = guard({ degraded: "local" });
  await g.ready();
  const { line, connection } = await opened(connectionsOf(t, g, clock), provider.token());
  for (let outage = 0; outage < 3; outage++) {
    provider.fault("introspection", { refuse: true });
    await clock.advance(5 * minute);
    await connection.present(provider.token());
    assert.equal(line.last?.["type"], "auth.ok");
    assert.notEqual(connection.auth?.degraded, null);
    provider.restore();
    await clock.advance(minute);
    assert.equal(connection.auth?.degraded, null);
  }
  assert.equal(line.code, null);
});

test("fault 50, law 1: under deny a refresh without the authority is put off, and the connection lasts as long as its token", async (t) => {
  const { clock, guard, provider } = await makeWorld(t, 4 * minute);
  const g = guard();
  await g.ready();
  const { line, connection } = await opened(connectionsOf(t, g, clock), provider.token());
  provider.fault("introspection", { refuse: true });
  await clock.advance(3 * minute);
  await connection.present(provider.token());
  assert.equal(line.last?.["error"], "temporarily_unavailable");
  assert.equal(connection.takes("m", "m"), true);
  await clock.advance(2 * minute);
  assert.equal(line.code, 4453);
});

test("fault 48: once a refresh that was put off was made good, the end is the token's own again: 4401", async (t) => {
  const { clock, guard, provider } = await makeWorld(t, 10 * minute);
  const g = guard();
  await g.ready();
  const { line, connection } = await opened(connectionsOf(t, g, clock), provider.token());
  provider.fault("introspection", { refuse: true });
  await connection.present(provider.token());
  assert.equal(line.last?.["error"], "temporarily_unavailable");
  provider.restore();
  await clock.advance(minute);
  await connection.present(provider.token());
  assert.equal(line.last?.["type"], "auth.ok");
  await clock.advance(11 * minute);
  assert.equal(line.code, 4401);
});

test("who is closed while its messages wait is read again: its answer to the closing is among what comes", async (t) => {
  const here = await world();
  const { guard } = gated(here.guard);
  const connections = connectionsOf(t, guard, here.clock);
  const line = new TestLine();
  const connection = connections.expect(line);
  void connection.present(here.mint.token());
  connection.takes("m", "m");
  assert.equal(line.isPaused, true);
  await connections.close();
  assert.deepEqual([line.code, line.isPaused, line.delivered], [4453, false, []]);
});
