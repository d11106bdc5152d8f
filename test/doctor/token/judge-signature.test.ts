import assert from "node:assert/strict";
import { test } from "node:test";
import { explainToken, type TokenExpectations } from "../../../src/doctor/token/explain-token.ts";
import { createMint } from "../../../src/testing/index.ts";
import { assertProblem, startKeycloak } from "../fixture.ts";

const mint = await createMint({ issuer: "unused", audience: "unused", algorithm: "RS256" });
const nothing: TokenExpectations = { providers: [], own: null, audience: undefined, toleranceMs: 5_000 };

function makeToken(iss: string): string {
  return mint.token({ iss, aud: ["orders-api", "account"], typ: "Bearer", azp: "spa" }, { typ: "JWT" });
}

test("doctor token verifies the signature of a provider that is not configured, and proposes no lines for a forged token", async (t) => {
  const { url, issuer, stop } = await startKeycloak(t, mint.jwks());
  const token = makeToken(issuer);
  const good = await explainToken(token, nothing);
  assert.equal(good.status, "ok", JSON.stringify(good.findings));
  assert.ok(good.findings.some(({ detail }) => detail === "its signature is that of the provider"));
  assert.equal(
    good.code[2],
    `createGuard(keycloak({ url: "${url}", realm: "shop", audience: "orders-api" }))`,
  );
  const forged = await explainToken(`${token.slice(0, -20)}${"A".repeat(20)}`, nothing);
  assertProblem(forged.findings, "fail", /no key of the set made its signature/, /altered/);
  assert.deepEqual([forged.status, forged.code], ["fail", []]);
  stop();
  const down = await explainToken(token, nothing);
  assertProblem(down.findings, "warn", /signature was not verified: .*ECONNREFUSED/, /anybody could have/);
  assert.equal(down.status, "warn");
});

test("doctor token sends no request over plain HTTP to another machine that a token names", async (t) => {
  const asked = t.mock.method(globalThis, "fetch", async () => await Promise.reject(new TypeError("asked")));
  const issuers = [
    "http://keycloak:8080/realms/shop",
    "http://id.example.org",
    "shop",
    "https://[/realms/shop",
    "https://id.example.org/?a=b",
  ];
  for (const iss of issuers) {
    const { findings } = await explainToken(makeToken(iss), nothing);
    assertProblem(findings, "warn", /signature was not verified/, /HOLDFAST_PROVIDER_ISSUER/);
  }
  assert.equal(asked.mock.callCount(), 0);
});
