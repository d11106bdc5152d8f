import assert from "node:assert/strict";
import { test } from "node:test";
import { checkClaimRules, findWrongClaim, oneOf, readClaimRules } from "../../src/core/claim-rules.ts";

const accepts = (rules: object, claims: object, defersAbsent?: boolean) =>
  findWrongClaim(claims, readClaimRules("claims", rules), defersAbsent) === null;

test("a rule accepts its value, one of several, and a list that contains one of them", () => {
  const tenant = { tid: oneOf("a", "b") };
  assert.ok(accepts(tenant, { tid: "b" }));
  assert.ok(accepts(tenant, { tid: ["x", "a"] }));
  assert.ok(accepts({ email_verified: true, level: 2 }, { email_verified: true, level: 2 }));
  assert.ok(accepts({ "realm_access.roles": "admin" }, { realm_access: { roles: ["user", "admin"] } }));
  assert.ok(accepts({}, {}));
});

test("a rule refuses another value, another type, an empty list, an object and an absent claim", () => {
  const cases: [rules: object, claims: object][] = [
    [{ tid: oneOf("a", "b") }, { tid: "c" }],
    [{ tid: "a" }, { tid: "A" }],
    [{ tid: "a" }, { tid: "a " }],
    [{ email_verified: true }, { email_verified: "true" }],
    [{ level: 1 }, { level: "1" }],
    [{ level: 0 }, { level: false }],
    [{ tid: "a" }, { tid: [] }],
    [{ tid: "a" }, { tid: [["a"]] }],
    [{ tid: "a" }, { tid: { a: "a" } }],
    [{ tid: "a" }, {}],
    [{ tid: "a" }, { tid: null }],
    [{ toString: "a" }, {}],
    [JSON.parse('{"__proto__": "a"}') as object, {}],
    [
      { a: "1", b: "2" },
      { a: "1", b: "3" },
    ],
  ];
  for (const [rules, claims] of cases)
    assert.equal(accepts(rules, claims), false, JSON.stringify([rules, claims]));
});

test("null accepts an absent claim and nothing else; oneOf(value, null) accepts both", () => {
  assert.ok(accepts({ act: null }, {}) && accepts({ act: null }, { act: null }));
  assert.equal(accepts({ act: null }, { act: { sub: "x" } }), false);
  assert.equal(accepts({ act: null }, { act: "" }), false);
  const active = { sts: oneOf("active", null) };
  assert.ok(accepts(active, {}) && accepts(active, { sts: "active" }));
  assert.equal(accepts(active, { sts: "pending" }), false);
});

test("an absent claim waits for the authority where one answers, and a wrong one does not", () => {
  assert.ok(accepts({ tid: "a" }, {}, true));
  assert.equal(accepts({ tid: "a" }, { tid: "b" }, true), false);
});

test("malformed rules are refused by name, and the message shows what a rule must be", () => {
  const cases: [rules: unknown, message: RegExp][] = [
    [[], /claims must be an object with a rule for each claim; got an array/],
    [null, /claims must be an object/],
    ["tid", /claims must be an object/],
    [{ tid: "" }, /claims\.tid must be .*; got an empty string/],
    [{ tid: undefined }, /claims\.tid must be .*; got undefined/],
    [{ tid: ["a"] }, /claims\.tid must be .*oneOf.*; got \["a"\]/],
    [{ tid: { oneof: ["a"] } }, /did you mean oneOf\?/],
    [{ tid: { oneOf: [] } }, /claims\.tid must be oneOf.* with at least one value/],
    [{ tid: { oneOf: "a" } }, /claims\.tid must be oneOf/],
    [{ tid: { oneOf: ["a", ""] } }, /claims\.tid\.oneOf\[1\]/],
    [{ tid: { oneOf: ["a", undefined] } }, /claims\.tid\.oneOf\[1\]/],
    [{ tid: Number.NaN }, /claims\.tid/],
    [{ "": "a" }, /claims must be rules under the names of claims/],
    [{ tid: () => true }, /claims\.tid/],
  ];
  for (const [rules, message] of cases) {
    assert.throws(() => checkClaimRules("claims", rules), { code: "invalid_option", message });
  }
  assert.throws(() => oneOf(), { code: "invalid_option", message: /oneOf/ });
  assert.throws(() => oneOf("a", ""), { code: "invalid_option" });
});

test("rules are plain JSON, and a copy does not change with the caller's object", () => {
  const rules = { tid: { oneOf: ["a"] }, use: "access" };
  const copy = readClaimRules("claims", rules);
  assert.deepEqual(JSON.parse(JSON.stringify(copy)), rules);
  rules.tid.oneOf.push("b");
  rules.use = "other";
  assert.deepEqual(copy, { tid: oneOf("a"), use: "access" });
});
