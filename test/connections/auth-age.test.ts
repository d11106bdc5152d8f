import assert from "node:assert/strict";
import { test } from "node:test";
import { openConnection, setUp } from "./fixture.ts";

const rules = { maxAuthAgeMs: 300_000 };

test("a connection closes with 4505 when its login becomes too old, and a newer login keeps it open", async () => {
  const { clock, connections, mint } = await setUp();
  const loggedIn = () => mint.token({ auth_time: Math.floor(clock.now() / 1000) });
  const [stays, closes] = [
    await openConnection(connections, loggedIn(), rules),
    await openConnection(connections, loggedIn(), rules),
  ];
  await clock.advance(290_000);
  const sameLogin = mint.token({ auth_time: Math.floor(clock.now() / 1000) - 290 });
  await closes.connection.presentToken(sameLogin);
  await stays.connection.presentToken(loggedIn());
  await clock.advance(12_000);
  assert.equal(stays.connection.state, "open");
  assert.deepEqual(closes.transport.closed, {
    code: 4505,
    error: "insufficient_user_authentication",
    retryAfter: undefined,
  });
});

test("a new token with a login that is too old is refused by that name, and the current one stays", async () => {
  const { clock, connections, mint } = await setUp();
  const nowS = Math.floor(clock.now() / 1000);
  const { connection, transport } = await openConnection(connections, mint.token({ auth_time: nowS }), rules);
  await connection.presentToken(mint.token({ auth_time: nowS - 301 }));
  assert.deepEqual(transport.last, { type: "auth.refused", error: "insufficient_user_authentication" });
  assert.equal(connection.state, "open");
});
