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
  ["http://localhost:4180", "http://127.0.0.1:4180", /two names of this machine/],
  ["http://[::1]:4180", "http://localhost:4180", /two names of this machine/],
  ["http://localhost:4180", "http://127.0.0.1:4181", /different issuers/],
  ["http://127.0.0.1.example.com", "http://localhost.example.com", /different issuers/],
] as const) {
  test(`${named} and ${wanted}: ${String(expected)}`, () => {
    assert.match(describeIssuerDifference(named, wanted), expected);
  });
}
