import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Store } from "../../src/stores/store.ts";
import { redisStore } from "../../src/stores/redis.ts";
import { systemClock } from "../../src/core/clock.ts";
import { bearerHeader, sendRequest, createFixture, logIn, OTHER_SECRET, SECRET } from "../issuer/fixture.ts";
import { noRedis, RedisServer } from "../support/redis-servers.ts";

void describe("what an issuer keeps in Redis", { skip: noRedis }, () => {
  let server: RedisServer;
  let store: Store;
  before(async () => (server = await RedisServer.start()));
  after(async () => await server.stop());

  /** An issuer with a store of its own, on the time of this machine. */
  async function open(t: { after(work: () => Promise<void>): void }, prefix: string) {
    store = await redisStore({ url: server.url, prefix });
    const { issuer } = createFixture({ store, clock: systemClock, authenticate: undefined } as object);
    t.after(async () => {
      await issuer.close();
      await store.close();
    });
    await issuer.ready();
    await issuer.users.add({ username: "ann", password: "password of ann" });
    return issuer;
  }

  const jsonAt = async (key: string, field: string) =>
    JSON.parse((await server.cli("HGET", key, field))?.split("\r\n")[1] ?? "null") as Record<string, unknown>;

  test("law 5: nothing that Redis ever wrote down holds a token, a password or a secret", async (t) => {
    const issuer = await open(t, "law5:");
    const first = await logIn(issuer);
    const second = await issuer.refresh(first.refresh_token);
    const again = await issuer.refresh(first.refresh_token);
    assert.ok(second.status === "ok" && again.status === "ok");
    await issuer.login({ username: "ann", password: "wrong password" });
    await issuer.keys.rotate();
    assert.equal(
      (await sendRequest(issuer, "POST", "/auth/logout-all", {}, bearerHeader(first))).status,
      204,
    );
    const written = server.written();
    const secrets = [SECRET, "password of ann", "wrong password", '"d":'];
    for (const { access_token, refresh_token } of [first, second.tokens, again.tokens]) {
      secrets.push(access_token, access_token.split(".")[2] ?? "", refresh_token, refresh_token.slice(4));
    }
    for (const secret of secrets) assert.ok(!written.includes(secret), "found a secret");
    assert.ok(written.includes(first.session_id), "it was written down");
  });

  test("fault 13: a session that was given to another subject is refused, and told to the auditor", async (t) => {
    const issuer = await open(t, "fault13:");
    const tokens = await logIn(issuer);
    const key = `fault13:{session:${tokens.session_id}}`;
    const facts = await jsonAt(key, "fixed");
    await server.cli("HSET", key, "fixed", JSON.stringify({ ...facts, subject: "root" }));
    assert.equal((await issuer.refresh(tokens.refresh_token)).status, "invalid_grant");
    // What never changes is not believed from the other part either.
    await server.cli("HSET", key, "fixed", JSON.stringify(facts));
    const state = await jsonAt(key, "state");
    await server.cli("HSET", key, "state", JSON.stringify({ ...state, subject: "root", mac: "x" }));
    assert.equal((await issuer.refresh(tokens.refresh_token)).status, "ok");
    const kinds = (await store.audit.recent(10)).map(({ kind }) => kind);
    assert.ok(kinds.includes("record_tampered"));
  });

  test("fault 13: a user that somebody wrote is no user", async (t) => {
    const issuer = await open(t, "users13:");
    const ann = await jsonAt("users13:{users}", "ann");
    await server.cli(
      "HSET",
      "users13:{users}",
      "ann",
      JSON.stringify({ ...ann, scopes: ["holdfast:admin"] }),
    );
    const outcome = await issuer.login({ username: "ann", password: "password of ann" });
    assert.equal(outcome.status, "denied");
  });

  test("law 4: a store that belongs to another secret is refused", async (t) => {
    await open(t, "law4:");
    const other = createFixture({ store, clock: systemClock, secret: OTHER_SECRET }).issuer;
    await assert.rejects(other.ready(), /another secret/);
    await other.close();
  });
});
