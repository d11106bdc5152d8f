import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startServers } from "./servers.js";
import { createSession } from "./session.js";

let servers, session;
before(async () => {
  servers = await startServers();
  session = createSession(servers);
});
after(async () => await servers.close());

test("a wrong password is refused", async () => {
  await assert.rejects(session.login("ann", "wrong"));
  assert.equal(await session.isLoggedIn(), false);
});

test("a user who logged in gets data", async () => {
  await session.login("ann", "wonderland");
  assert.equal(await session.isLoggedIn(), true);
  assert.equal(await (await session.get("/")).text(), "Hello ann");
});

test("twenty calls with an expired token get data", async () => {
  await servers.expireTokens();
  const responses = await Promise.all(Array.from({ length: 20 }, () => session.get("/")));
  assert.deepEqual(
    responses.map(({ status }) => status),
    Array.from({ length: 20 }, () => 200),
  );
});

test("a user who logged out gets no data", async () => {
  await session.logout();
  assert.equal(await session.isLoggedIn(), false);
});
