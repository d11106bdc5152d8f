import assert from "node:assert/strict";
import { after, before, describe, test, type TestContext } from "node:test";
import { createClient } from "redis";
import { isHoldfastError } from "../../src/core/errors.ts";
import { logIn, makeRevocation, present } from "../../src/stores/conformance/fixtures.ts";
import { redisStore } from "../../src/stores/redis.ts";
import { noRedis, RedisServer } from "../support/redis-servers.ts";

/** Where fields of the head begin. */
const FIELDS = { generation: 1, idleMs: 24 };

function replaceAt(record: string, start: number, field: string): string {
  return record.slice(0, start) + field + record.slice(start + field.length);
}

function readCode(error: unknown): string {
  assert.ok(isHoldfastError(error));
  return error.code;
}

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

  /** Each replaces one field of the head of a record. */
  const damages: readonly [string, (record: string) => string][] = [
    ["a field that is no number", (record) => replaceAt(record, FIELDS.generation, "x".repeat(10))],
    ["an idle time below 0", (record) => replaceAt(record, FIELDS.idleMs, "-999999999999")],
  ];
  for (const [damage, apply] of damages) {
    test(`${damage} fails the refresh of its session only`, ENDS, async (t) => {
      const { store, raw } = await open(t);
      const ids = Array.from({ length: 9 }, (_, i) => `s${i}`);
      for (const id of ids) await logIn(store, id);
      const damaged = apply((await raw.get("holdfast:{session:s5}")) ?? "");
      await raw.set("holdfast:{session:s5}", damaged);

      const settled = await Promise.allSettled(
        ids.map(
          async (id) => await present(store, id, 1, { onReuse: await makeRevocation(store, "session", id) }),
        ),
      );

      assert.deepEqual(
        settled.map((one) => (one.status === "fulfilled" ? one.value.outcome : readCode(one.reason))),
        ids.map((id) => (id === "s5" ? "store_corrupt" : "rotated")),
      );
      assert.equal(await raw.get("holdfast:{session:s5}"), damaged);
    });
  }
});
