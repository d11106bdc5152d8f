import assert from "node:assert/strict";
import { test } from "node:test";
import { storeWords } from "../../../src/server/health/store-words.ts";

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
