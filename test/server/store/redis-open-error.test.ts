import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { HoldfastError } from "../../../src/core/errors.ts";
import { nameRedisSettings } from "../../../src/server/store/redis-open-error.ts";
import { openRedisStore } from "../../../src/server/store/redis-store.ts";

test("a service that cannot reach its Redis names the setting with the address, and the doctor", async () => {
  const dataDir = join(import.meta.dirname, "no-data");
  const redis = { url: "redis://127.0.0.1:1", openTimeoutMs: 1000 };
  await assert.rejects(openRedisStore(redis, { create: true, dataDir, secret: "" }), {
    code: "store_unavailable",
    message:
      /127\.0\.0\.1:1: .*ECONNREFUSED.*\. Check that Redis runs at the address in REDIS_URL.*holdfast doctor/,
  });
});

for (const reply of ["WRONGPASS invalid username-password pair", "NOAUTH Authentication required."]) {
  test(`an error that begins with ${reply.split(" ", 1)[0]} names the settings with the password`, () => {
    const cause = new HoldfastError("store_unavailable", `redis redis.example:6379: ${reply}`, {
      retryAfterMs: 1000,
    });
    const error = nameRedisSettings(cause) as HoldfastError;
    assert.match(
      error.message,
      /the password in REDIS_URL, or HOLDFAST_REDIS_PASSWORD_FILE.*holdfast doctor/,
    );
    assert.equal(error.retryAfterMs, 1000);
  });
}

for (const [option, setting] of [
  ['redisStore: durability "everysec": redis has appendonly no', 'HOLDFAST_REDIS_DURABILITY "everysec"'],
  ["redisStore: replicas: redis has primaries without a replica", "HOLDFAST_REDIS_REPLICAS: "],
] as const) {
  test(`an error of an option names the setting ${setting.split(/\W/, 1)[0]} in its place`, () => {
    const { message } = nameRedisSettings(new HoldfastError("invalid_option", option)) as HoldfastError;
    assert.equal(message.startsWith(setting), true, message);
    assert.doesNotMatch(message, /redisStore/);
  });
}

test("an error of another kind stays as it is", () => {
  const emptied = new HoldfastError("store_emptied", "redis was emptied");
  assert.equal(nameRedisSettings(emptied), emptied);
});
