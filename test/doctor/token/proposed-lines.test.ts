import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { explainToken, type TokenReport } from "../../../src/doctor/token/explain-token.ts";
import { readIssuerOrTenants } from "../../../src/guard/issuer-settings.ts";
import { createGuard, staticKeys, type GuardOptions } from "../../../src/index.ts";
import { keycloak } from "../../../src/providers/index.ts";
import { createMint } from "../../../src/testing/index.ts";
import { AUDIENCE } from "../fixture.ts";

type Claims = Readonly<Record<string, unknown>>;

const mint = await createMint({ issuer: "unused", audience: "unused", algorithm: "RS256" });
mock.method(globalThis, "fetch", async (url: string) => {
  const metadataAt = url.indexOf("/.well-known/openid-configuration");
  const issuer = url.slice(0, metadataAt);
  return Response.json(metadataAt < 0 ? mint.jwks() : { issuer, jwks_uri: `${issuer}/jwks` });
});

const REALM = "https://id.example.com/realms/shop";
/** An issuer that no preset fits. */
const OTHER = "https://id.example.org/idp";

async function explain(claims: Claims, audience?: string): Promise<TokenReport> {
  return await explainToken(mint.token(claims, { typ: "JWT" }), {
    providers: [],
    own: null,
    audience,
    toleranceMs: 5_000,
  });
}

/** Runs the line that a reader pastes, with the keys of the mint. Resolves with the scopes that the guard finds. */
async function pastedScopes({ code }: TokenReport, claims: Claims): Promise<readonly string[]> {
  // oxlint-disable-next-line typescript/no-implied-eval -- The code is what a reader pastes.
  const evaluate = new Function("createGuard", "keycloak", `return ${code.at(-1)};`) as (
    make: (options: GuardOptions) => unknown,
    preset: unknown,
  ) => GuardOptions;
  const options = evaluate((given) => given, keycloak);
  const guard = createGuard({ ...options, keys: staticKeys(mint.jwks()), warnings: false } as GuardOptions);
  const verdict = await guard.validate(mint.token(claims, { typ: "JWT" }));
  await guard.close();
  assert.equal(verdict.status, "valid", JSON.stringify(verdict));
  return verdict.status === "valid" ? verdict.scopes : [];
}

for (const [what, claims, audience, scopes] of [
  [
    "of its realm beside scopes",
    { scope: "openid", realm_access: { roles: ["editor"] } },
    undefined,
    ["editor", "openid"],
  ],
  ["in the claim roles alone", { roles: ["editor"] }, undefined, ["editor"]],
  [
    "of the client that is the API",
    { resource_access: { [AUDIENCE]: { roles: ["editor"] }, other: { roles: ["root"] } } },
    undefined,
    ["editor"],
  ],
  [
    "of a client that Keycloak has in every realm",
    { aud: "account", resource_access: { account: { roles: ["manage-account"] } } },
    "account",
    [],
  ],
  [
    "under a name that is a URL",
    { "https://shop.example/roles": ["editor"], [`https://shop.example/${"x".repeat(300)}/roles`]: ["long"] },
    undefined,
    ["editor"],
  ],
  ["in no claim", { scope: "openid" }, undefined, ["openid"]],
] as const) {
  test(`doctor token proposes lines whose guard finds the roles ${what}, where no preset fits`, async () => {
    const token = { iss: OTHER, aud: AUDIENCE, ...claims };
    const report = await explain(token, audience);
    assert.deepEqual([...(await pastedScopes(report, token))].toSorted(), scopes);
  });
}

test("doctor token names the claims from which the proposed lines read roles", async () => {
  const { status, findings, code } = await explain({
    iss: OTHER,
    aud: AUDIENCE,
    realm_access: { roles: ["editor"] },
  });
  assert.equal(status, "ok", JSON.stringify(findings, null, 1));
  assert.ok(
    findings.some(({ detail }) => /read scopes from realm_access\.roles, too; remove .* rights/.test(detail)),
  );
  const options = { issuer: OTHER, audience: AUDIENCE, scopesFrom: ["scope", "scp", "realm_access.roles"] };
  assert.equal(code.at(-1), `createGuard(${JSON.stringify(options)})`);
});

test("doctor token shows which roles of a token a configured guard does not read", async () => {
  const claims = { iss: OTHER, aud: AUDIENCE, realm_access: { roles: ["editor"] } };
  const [own = null] = readIssuerOrTenants("own", { issuer: OTHER, audience: AUDIENCE }).issuers;
  const expected = { providers: [], own, audience: AUDIENCE, toleranceMs: 5_000 };
  const { findings } = await explainToken(mint.token(claims), expected);
  const unread = findings.find(({ detail }) => /further names in realm_access\.roles/.test(detail));
  assert.equal(unread?.status, "warn");
  assert.match(unread.advice ?? "", /scopesFrom: \["scope","scp","realm_access\.roles"\]/);
});

for (const [what, claims, audience] of [
  ["that --audience names", { iss: REALM, aud: "account" }, "account"],
  ["that --audience names beside an API", { iss: REALM, aud: ["orders-api", "account"] }, "account"],
  ["of a provider without a preset", { iss: OTHER, aud: "account" }, undefined],
  ["beside another client of the realm", { iss: OTHER, aud: ["account", "broker"] }, undefined],
] as const) {
  test(`doctor token warns of the audience account ${what}, which all tokens of the realm have`, async () => {
    const { status, findings } = await explain({ typ: "Bearer", ...claims }, audience);
    assert.equal(status, "warn", JSON.stringify(findings, null, 1));
    const shared = findings.find(({ detail }) => /"account".* is no API/.test(detail));
    assert.equal(shared?.status, "warn");
    assert.match(shared.advice ?? "", /audience mapper/);
  });
}

test("doctor token does not warn of the audience account where the guard expects the API beside it", async () => {
  const { status, findings } = await explain({ iss: REALM, typ: "Bearer", aud: ["account", "orders-api"] });
  assert.equal(status, "ok", JSON.stringify(findings, null, 1));
});
