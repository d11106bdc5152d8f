import assert from "node:assert/strict";
import { test } from "node:test";
import { describeIssuerDifference } from "../../../src/doctor/token/issuer-difference.ts";

for (const [named, wanted, expected] of [
  ["https://id.example/realms/a", "https://id.example/realms/b", /another tenant/],
  ["https://a.okta.com/oauth2/default", "https://b.okta.com/oauth2/default", /another tenant/],
  ["https://a.eu.auth0.com/", "https://b.us.auth0.com/", /another tenant/],
  ["https://a.clerk.accounts.dev", "https://b.clerk.accounts.dev", /another tenant/],
  ["https://\u0456d.example", "https://id.example", /characters beyond ASCII/],
  ["https://a.example", "https://b.example", /different issuers/],
  ["https://evil.example.com", "https://id.example.com", /different issuers/],
  ["https://evil.example.com/realms/a", "https://id.example.com/realms/a", /different issuers/],
  ["https://clerk.evil.example", "https://clerk.shop.example", /different issuers/],
  ["https://evil.example?.auth0.com/", "https://b.auth0.com/", /different issuers/],
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
