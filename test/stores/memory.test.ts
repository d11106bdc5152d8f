import assert from "node:assert/strict";
import { test } from "node:test";
import { isHoldfastError } from "../../src/core/errors.ts";
import { testStore } from "../../src/stores/conformance/index.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";

testStore("memoryStore", () => {
  const clock = new FakeClock();
  const store = memoryStore({ clock });
  return { store, clock, close: () => store.close() };
});

test("two memory stores share no data", async () => {
  const [one, two] = [memoryStore(), memoryStore()];
  await one.markers.claim("id", "one");
  assert.equal(await two.markers.read("id"), null);
  const { position } = await one.revocations.snapshot();
  assert.deepEqual(await two.revocations.after(position), { status: "gap" });
  await Promise.all([one.close(), two.close()]);
});

test("memoryStore rejects an unknown option", () => {
  const options = { clcok: new FakeClock() } as object;
  assert.throws(
    () => memoryStore(options),
    (error) => isHoldfastError(error, "invalid_option"),
  );
});
