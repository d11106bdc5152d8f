import assert from "node:assert/strict";
import { test } from "node:test";
import { describeIssuerDifference } from "../../../src/doctor/token/issuer-difference.ts";

for (const [named, wanted, expected] of [
  ["https://id.example/realms/a", "https://id.example/realms/b", /another tenant/],
  ["https://a.okta.com/oauth2/default", "https://b.okta.com/oauth2/default", /another tenant/],
  ["https://a.example", "https://b.example", /different issuers/],
  ["https://id.example/realms/a", "https://id.example/oauth2/b", /different issuers/],
  ["accounts.example", "https://accounts.example", /different issuers/],
  ["https://id.example/", "https://id.example", /slash/],
] as const) {
  test(`${named} and ${wanted}: ${String(expected)}`, () => {
    assert.match(describeIssuerDifference(named, wanted), expected);
  });
}
