import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { findRule, indexPolicy, type IndexedRule } from "../../src/gateway/rule-index.ts";

/** The meaning of a policy: each rule is tried in turn. */
function findInTurn(
  policy: readonly IndexedRule[],
  host: string,
  method: string,
  path: string,
): IndexedRule | null {
  const first = policy.find((rule) => {
    const { foldedBase: base, includesBelow } = rule.path;
    const isHere = path === base || (includesBelow && path.startsWith(`${base}/`));
    return isHere && (rule.host ?? host) === host && (rule.methods ?? [method]).includes(method);
  });
  return first ?? null;
}

const host = fc.constantFrom("x.example", "y.example", "constructor");
const method = fc.constantFrom("GET", "POST", "PUT");
// Empty segments occur in the readings of an escaped slash.
const segment = fc.constantFrom("A", "B", "AB", "", "__proto__");
const path = fc.array(segment, { maxLength: 4 }).map((segments) => segments.map((one) => `/${one}`).join(""));
const rule: fc.Arbitrary<IndexedRule> = fc.record({
  host: fc.option(host),
  methods: fc.option(fc.uniqueArray(method, { minLength: 1 })),
  path: fc.record({ foldedBase: path, includesBelow: fc.boolean() }),
});

test("the index finds the rule that is found when each rule is tried in turn", () => {
  fc.assert(
    fc.property(fc.array(rule, { maxLength: 30 }), host, method, path, (policy, ...request) => {
      const index = indexPolicy(policy);
      assert.equal(findRule(index, ...request), findInTurn(policy, ...request));
    }),
    { numRuns: 5_000 },
  );
});

test("the index looks at the rules of the path, and not at a thousand rules of other paths", () => {
  const looked: string[] = [];
  const policy = Array.from({ length: 1_000 }, (_, i): IndexedRule => ({
    host: null,
    get methods() {
      looked.push(`/API/${i}`);
      return null;
    },
    path: { foldedBase: `/API/${i}`, includesBelow: true },
  }));
  assert.equal(findRule(indexPolicy(policy), "x.example", "GET", "/API/998/ORDERS"), policy[998]);
  assert.deepEqual(looked, ["/API/998"]);
});
