import assert from "node:assert/strict";
import { test } from "node:test";
import { TestLine, tokenMessage, world } from "./world.ts";

async function opened(token: (mint: Awaited<ReturnType<typeof world>>["mint"]) => string) {
  const here = await world();
  const line = new TestLine();
  const admission = await here.connections.admit(token(here.mint));
  assert.ok(admission.status === "admitted");
  const connection = here.connections.open(line, admission);
  return { ...here, line, connection };
}

test("law 2, fault 48: a client is told before its token ends, and closed with 4401 when it does", async () => {
  const { clock, line, connection, connections } = await opened((mint) => mint.token());
  assert.equal(connection.state, "open");
  assert.equal(line.isOpened, true);
  assert.deepEqual(line.sent, [{ type: "auth.ok", expires_in: 600, scope: "", degraded: null }]);
  await clock.advance(539_000);
  assert.equal(line.sent.length, 1);
  await clock.advance(2_000);
  assert.deepEqual(line.sent[1], { type: "auth.expiring", expires_in: 60 });
  await clock.advance(57_000);
  assert.equal(connection.takes("hello", "hello"), true);
  await clock.advance(9_000);
  assert.deepEqual(line.closed, { code: 4401, error: "token_expired", retryAfter: 0.5 });
  assert.equal(connections.status().open, 0);
});

test("fault 48: a refresh in band keeps the connection", async () => {
  const { clock, line, connection, connections, mint } = await opened((m) => m.token());
  await clock.advance(590_000);
  assert.equal(connection.takes("auth", tokenMessage(mint.token({ scope: "chat" }))), false);
  assert.equal(connection.takes("after", "after"), true);
  await clock.advance(1);
  assert.deepEqual(line.sent.at(-1), { type: "auth.ok", expires_in: 600, scope: "chat", degraded: null });
  await clock.advance(500_000);
  assert.equal(connection.takes("more", "more"), true);
  assert.deepEqual(connection.auth?.scopes, ["chat"]);
  assert.equal(connections.status().refreshed, 1);
});
