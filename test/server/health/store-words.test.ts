import assert from "node:assert/strict";
import { test } from "node:test";
import { readFailureReason } from "../../../src/server/health/failure-reason.ts";
import { storeWords } from "../../../src/server/health/store-words.ts";
import { splitError, toStoreError } from "../../../src/stores/redis/errors.ts";

test("the advice about a file of SQLite that is slow or silent names its disk, and no server", () => {
  const file = "sqlite /var/lib/holdfast/holdfast.db";
  for (const reason of ["timeout", "ETIMEDOUT", "slow", "store_unavailable"]) {
    const { advice } = storeWords(reason, `${file}: no answer`, file);
    assert.match(advice, /disk of this file/, reason);
    assert.doesNotMatch(advice, /server/, reason);
  }
});

test("the advice about a Redis that is slow or silent names its server", () => {
  const redis = "redis redis.example:6379";
  for (const reason of ["timeout", "ETIMEDOUT", "slow", "store_unavailable"]) {
    assert.match(storeWords(reason, `${redis}: no answer`, redis).advice, /the server of the store/, reason);
  }
});

test("the advice about keys that a cluster moves names the command that ends the move", () => {
  const redis = "redis 10.0.0.1:7000";
  const { message } = toStoreError(
    redis,
    splitError("holdfast:{store}", new Error("TRYAGAIN Multiple keys")),
  );
  assert.match(message, /slot 7858 is being moved/);
  const reason = readFailureReason(new Error(message), redis);
  assert.match(storeWords(reason, message, redis).advice, /redis-cli --cluster fix/);
});
