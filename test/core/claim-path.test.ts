import assert from "node:assert/strict";
import { test } from "node:test";
import { claimAt, isClaimPath } from "../../src/core/claim-path.ts";

const claims = {
  permissions: ["orders:read"],
  "cognito:groups": ["staff"],
  "https://example.com/roles": ["admin"],
  realm_access: { roles: ["user"] },
  resource_access: { "com.example.api": { roles: ["editor"] }, com: { example: "never" } },
  a: { b: { c: 1 } },
  "a.b": { c: 2 },
  acr: null,
  list: [{ name: "x" }],
};

test("claimAt reads a claim by its name, and by a path whose parts may have dots", () => {
  const cases: [path: string, value: unknown][] = [
    ["permissions", ["orders:read"]],
    ["cognito:groups", ["staff"]],
    ["https://example.com/roles", ["admin"]],
    ["realm_access.roles", ["user"]],
    ["resource_access.com.example.api.roles", ["editor"]],
    ["a.b.c", 2],
  ];
  for (const [path, value] of cases) assert.deepEqual(claimAt(claims, path), value, path);
});

test("claimAt finds nothing in absent claims, in null, in lists, and in the members of every object", () => {
  const absent = [
    "acr",
    "roles",
    "realm_access.groups",
    "permissions.length",
    "list.0.name",
    "permissions.0",
  ];
  const inherited = ["toString", "__proto__", "constructor.name", "realm_access.__proto__", "a.constructor"];
  const odd = [".", "..", "realm_access.", ".realm_access", "realm_access..roles"];
  for (const path of [...absent, ...inherited, ...odd]) assert.equal(claimAt(claims, path), undefined, path);
});

test("a path is a text of 1 to 256 characters", () => {
  assert.ok(isClaimPath("a") && isClaimPath("x".repeat(256)));
  for (const value of ["", "x".repeat(257), 1, null, undefined, ["a"]])
    assert.equal(isClaimPath(value), false);
});
