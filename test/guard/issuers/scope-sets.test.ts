import assert from "node:assert/strict";
import { test } from "node:test";
import { ScopeSets } from "../../../src/guard/issuers/scope-sets.ts";

test("equal scope strings share one array, and 200 different ones stay apart", () => {
  const sets = new ScopeSets(["scope", "scp"]);
  const named = (n: number) => [`read:${n}`, `write:${n}`];
  for (let round = 0; round < 2; round++) {
    for (let n = 0; n < 200; n++) assert.deepEqual(sets.scopesOf({ scope: named(n).join(" ") }), named(n));
  }
  const shared = sets.scopesOf({ scope: "a b" });
  assert.equal(sets.scopesOf({ scp: "a b" }), shared);
  assert.ok(Object.isFrozen(shared));
});

test("law 6: a long scope string is read but not cached", () => {
  const sets = new ScopeSets(["scope", "scp"]);
  const scope = "x ".repeat(10_000);
  assert.equal(sets.scopesOf({ scope }).length, 10_000);
  assert.notEqual(sets.scopesOf({ scope }), sets.scopesOf({ scope }));
});
