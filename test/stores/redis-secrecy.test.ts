import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Store } from "../../src/stores/store.ts";
import { redisStore } from "../../src/stores/redis.ts";
import { systemClock } from "../../src/core/clock.ts";
import {
  bearerHeader,
  claimsOf,
  sendRequest,
  createFixture,
  logIn,
  OTHER_SECRET,
  SECRET,
} from "../issuer/fixture.ts";
import { noRedis, RedisServer } from "../support/redis-servers.ts";

void describe("the data of an issuer in Redis", { skip: noRedis }, () => {
  let server: RedisServer;
  let store: Store;
  before(async () => (server = await RedisServer.start()));
  after(async () => await server.stop());

  /** Opens an issuer with a separate store and the system clock. */
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

  test("law 5: the files of Redis contain no token, no password and no secret", async (t) => {
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
    assert.ok(written.includes(first.session_id), "the files contain the session");
  });

  test("fault 13: a session whose subject was changed is refused and audited", async (t) => {
    const issuer = await open(t, "fault13:");
    const tokens = await logIn(issuer);
    const key = `fault13:{session:${tokens.session_id}}`;
    const session = (await server.cli("GET", key))?.split("\r\n")[1] ?? "";
    const { sub: subject } = claimsOf(tokens.access_token);
    assert.ok(session.includes(`"subject":"${String(subject)}"`));
    await server.cli("SET", key, session.replace(/"subject":"[^"]*"/, `"subject":"root"`));
    assert.equal((await issuer.refresh(tokens.refresh_token)).status, "invalid_grant");
    await server.cli("SET", key, session);
    assert.equal((await issuer.refresh(tokens.refresh_token)).status, "ok");
    const kinds = (await store.audit.recent(10)).map(({ kind }) => kind);
    assert.ok(kinds.includes("record_tampered"));
  });

  test("fault 13: a user record without a valid MAC is ignored", async (t) => {
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

  test("law 4: a store of another secret is refused", async (t) => {
    await open(t, "law4:");
    const other = createFixture({ store, clock: systemClock, secret: OTHER_SECRET }).issuer;
    await assert.rejects(other.ready(), /another secret/);
    await other.close();
  });
});
