import assert from "node:assert/strict";
import { test } from "node:test";
import { ScopeSets } from "../../../src/guard/issuers/scope-sets.ts";

test("tokens that name the same scopes share one array, and any number of sets is told apart", () => {
  const sets = new ScopeSets();
  const named = (n: number) => [`read:${n}`, `write:${n}`];
  for (let round = 0; round < 2; round++) {
    for (let n = 0; n < 200; n++) assert.deepEqual(sets.scopesOf({ scope: named(n).join(" ") }), named(n));
  }
  const shared = sets.scopesOf({ scope: "a b" });
  assert.equal(sets.scopesOf({ scp: "a b" }), shared);
  assert.ok(Object.isFrozen(shared));
});

test("law 6: a text that is too long is read and not kept", () => {
  const sets = new ScopeSets();
  const scope = "x ".repeat(10_000);
  assert.equal(sets.scopesOf({ scope }).length, 10_000);
  assert.notEqual(sets.scopesOf({ scope }), sets.scopesOf({ scope }));
});
