import assert from "node:assert/strict";
import { test } from "node:test";
import { HoldfastError, isHoldfastError } from "../../src/core/errors.ts";

test("an error of another copy of the module is an instance, too", async () => {
  const copy = (await import(new URL("../../src/core/errors.ts?copy", import.meta.url).href)) as {
    HoldfastError: typeof HoldfastError;
  };
  assert.notEqual(copy.HoldfastError, HoldfastError);
  const error = new copy.HoldfastError("closed", "it is closed");
  assert.ok(error instanceof HoldfastError);
  assert.ok(isHoldfastError(error, "closed"));
  assert.deepEqual(Object.keys(error), ["name", "code", "retryAfterMs"]);
});

test("an error of a subclass is an instance of both classes, and other values are instances of neither", () => {
  class StoreError extends HoldfastError {}
  assert.ok(new StoreError("closed", "it is closed") instanceof StoreError);
  assert.ok(new StoreError("closed", "it is closed") instanceof HoldfastError);
  assert.equal(new HoldfastError("closed", "it is closed") instanceof StoreError, false);
  for (const value of [new Error("closed"), null, undefined, "closed", { code: "closed" }]) {
    assert.equal(value instanceof HoldfastError, false);
  }
});
