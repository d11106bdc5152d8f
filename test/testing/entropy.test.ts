import assert from "node:assert/strict";
import { test } from "node:test";
import { seededEntropy } from "../../src/testing/index.ts";

test("seeded entropy repeats its bytes and ids for the same seed, and for no other seed", () => {
  const draw = (seed: number) => {
    const entropy = seededEntropy(seed);
    return [entropy.bytes(16).toString("hex"), entropy.uuid(), entropy.bytes(1).length, entropy.uuid()];
  };
  assert.deepEqual(draw(7), draw(7));
  assert.notDeepEqual(draw(7), draw(8));
  assert.equal(new Set(draw(7)).size, 4);
});

test("an id of seeded entropy is a random UUID (RFC 9562)", () => {
  const entropy = seededEntropy(1);
  for (let i = 0; i < 100; i++) {
    assert.match(entropy.uuid(), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  }
});
