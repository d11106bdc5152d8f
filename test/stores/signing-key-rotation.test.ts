import assert from "node:assert/strict";
import { test } from "node:test";
import { decideKeyRotation } from "../../src/stores/signing-key-rotation.ts";
import type { SigningKeyRecord } from "../../src/stores/store.ts";

function makeKey(kid: string, activatedAt: number | null, retiredAt: number | null = null): SigningKeyRecord {
  return { kid, algorithm: "ES256", sealed: `sealed ${kid}`, createdAt: 1, activatedAt, retiredAt };
}

test("a rotation retires the signing key, activates the published one and appends the next one", () => {
  const keys = [makeKey("old", 1, 2), makeKey("signing", 2), makeKey("published", null)];
  assert.deepEqual(decideKeyRotation(keys, "signing", makeKey("next", null), 5), [
    makeKey("old", 1, 2),
    makeKey("signing", 2, 5),
    makeKey("published", 5),
    makeKey("next", null),
  ]);
});

test("a rotation is stale when its key is unknown, published or retired", () => {
  const keys = [makeKey("retired", 1, 2), makeKey("signing", 2), makeKey("published", null)];
  for (const current of ["unknown", "published", "retired"]) {
    assert.equal(decideKeyRotation(keys, current, makeKey("next", null), 5), null, current);
  }
});

test("a rotation is stale when no published key can take over", () => {
  assert.equal(decideKeyRotation([makeKey("signing", 1)], "signing", makeKey("next", null), 5), null);
});

test("decideKeyRotation does not change the keys it is given", () => {
  const keys = Object.freeze([
    Object.freeze(makeKey("signing", 1)),
    Object.freeze(makeKey("published", null)),
  ]);
  assert.equal(decideKeyRotation(keys, "signing", makeKey("next", null), 5)?.length, 3);
});
