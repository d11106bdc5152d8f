import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import { readMessage, toStoreError } from "../../src/stores/redis/errors.ts";

const { SocketTimeoutError } = createRequire(import.meta.url)("@redis/client/dist/lib/errors.js") as {
  SocketTimeoutError: new (timeoutMs: number) => Error;
};

test("the error of the package for a silent connection is told in plain words", () => {
  const error = new SocketTimeoutError(5000);
  assert.equal(readMessage(error), "no answer within 5000 ms");
  assert.equal(
    toStoreError("redis 10.0.0.1:6379", error).message,
    "redis 10.0.0.1:6379: no answer within 5000 ms",
  );
});

test("the reason of a connection without an answer is shown once, without the words of the package", () => {
  const { message } = toStoreError(
    "redis",
    new Error("The client is offline"),
    readMessage(new SocketTimeoutError(5000)),
  );
  assert.equal(message, "redis: not connected: no answer within 5000 ms");
});
