import assert from "node:assert/strict";
import { after, before, describe, test, type TestContext } from "node:test";
import { createClient } from "redis";
import { isHoldfastError } from "../../src/core/errors.ts";
import { logIn, present } from "../../src/stores/conformance/fixtures.ts";
import { redisStore } from "../../src/stores/redis.ts";
import { noRedis, RedisServer } from "../support/redis-servers.ts";

/** Without an end a refresh would call the script until the store closes. */
const ENDS = { timeout: 20_000 };

void describe("sessions in Redis whose record has no session or is damaged", { skip: noRedis }, () => {
  let server: RedisServer;
  before(async () => (server = await RedisServer.start(["appendfsync no"])));
  after(async () => await server.stop());

  async function open(t: TestContext) {
    const raw = await createClient({ url: server.url, RESP: 2 }).connect();
    await raw.flushAll();
    const store = await redisStore({ url: server.url, durability: "unchecked" });
    t.after(async () => {
      raw.destroy();
      await store.close();
    });
    return { raw, store };
  }

  test("a refresh of a deleted session that an older version has cut off is unknown", ENDS, async (t) => {
    const { store, raw } = await open(t);
    await logIn(store, "one");
    await raw.del("holdfast:{session:one}");
    await raw.hSet("holdfast:{session:one}", "cutAt", "5");
    assert.equal((await present(store, "one", 1)).outcome, "unknown");
  });

  test(
    "a refresh of a record that is too short for a session fails, and the error names the session",
    ENDS,
    async (t) => {
      const { store, raw } = await open(t);
      await logIn(store, "one");
      await raw.set("holdfast:{session:one}", "2");
      await assert.rejects(present(store, "one", 1), (error) => {
        assert.ok(isHoldfastError(error, "store_corrupt"));
        assert.equal(error.message, "Redis: the record of session one is damaged");
        return true;
      });
    },
  );
});
