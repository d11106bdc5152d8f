import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { ProviderProbe } from "../../../src/doctor/provider-probe.ts";
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
  ["of a provider without a preset", { iss: OTHER, aud: "account" }, "account"],
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

for (const aud of ["account", ["account", "broker"], ["account", "https://x.example/userinfo"], undefined]) {
  test(`doctor token proposes no lines for the aud ${JSON.stringify(aud)}, which names no API`, async () => {
    for (const iss of [REALM, OTHER]) {
      const { status, findings, code } = await explain({ iss, aud, typ: "Bearer" });
      assert.equal(status, "fail", JSON.stringify(findings, null, 1));
      assert.doesNotMatch(JSON.stringify(findings), /claims are accepted|your-api/);
      assert.deepEqual(code, []);
    }
  });
}

test("doctor token warns of the address of the user's claims as the audience of an API", async () => {
  const audience = "https://x.example/userinfo";
  const { status, findings } = await explain({ iss: OTHER, aud: ["account", audience] }, audience);
  assert.equal(status, "warn", JSON.stringify(findings, null, 1));
  assert.ok(findings.some(({ detail }) => /userinfo" is no API/.test(detail)));
});

test("doctor token judges a token of Cognito by the client that --audience names", async () => {
  const iss = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_abc";
  const claims = { iss, aud: undefined, client_id: "other", token_use: "access" };
  const { findings, code } = await explain(claims, "mine");
  const refused = findings.find(
    ({ detail }) => detail === 'its client_id is "other", and "mine" is expected',
  );
  assert.match(
    refused?.advice ?? "",
    /^if "other" is yours, run .*--audience.*; else get a token of "mine"$/,
  );
  assert.deepEqual(code, []);
  assert.match(
    (await explain({ ...claims, client_id: "mine" }, "mine")).code.at(-1) ?? "",
    /clientId: "mine"/,
  );
});

test("doctor token warns where the preset does not compare the audience that the reader named", async () => {
  const claims = { iss: "https://securetoken.google.com/other", aud: "other", auth_time: 1 };
  const { status, findings } = await explain(claims, "my-project");
  assert.equal(status, "warn", JSON.stringify(findings, null, 1));
  const detail = 'the preset does not compare the audience "my-project": it expects "other"';
  assert.ok(findings.some((one) => one.status === "warn" && one.detail === detail));
});

for (const iss of ["http://keycloak.example:8080/realms/shop", "http://id.example.org"]) {
  test(`doctor token proposes no lines for ${iss}, because its keys can be replaced on the network`, async () => {
    const { findings, code } = await explain({ iss, aud: "orders-api", typ: "Bearer" });
    assert.ok(
      findings.some(({ status, detail }) => status === "warn" && /plain http.*forge tokens/.test(detail)),
    );
    assert.deepEqual(code, []);
  });
}

test("doctor token names each value that the lines trust because the token names it", async () => {
  const tenant = "8d4c2fd9-0c7c-4a7b-8f0a-5b1c7f1f3f55";
  const iss = `https://login.microsoftonline.com/${tenant}/v2.0`;
  const claims = { iss, aud: "api", azp: "other-client", scp: "orders.read" };
  const { findings } = await explain(claims);
  const trust = findings.find(({ detail }) => detail.startsWith("the lines trust what the token names"));
  assert.equal(trust?.status, "ok");
  for (const name of [iss, "api", "other-client"]) assert.ok(trust.detail.includes(`"${name}"`));
  const named = await explain(claims, "api");
  assert.ok(!named.findings.some(({ detail }) => detail.includes('"api", "other-client"')));
});

test("doctor token warns of the lines for a token whose signature was not verified", async (t) => {
  t.mock.method(globalThis, "fetch", async () => await Promise.reject(new TypeError("down")));
  const { findings, code } = await explain({ iss: REALM, aud: "orders-api", typ: "Bearer" });
  assert.equal(code.length, 3);
  const trust = findings.find(({ detail }) => detail.startsWith("the lines trust what the token names"));
  assert.equal(trust?.status, "warn");
  assert.match(trust.advice ?? "", /only if you know these names/);
});

test("doctor token proposes no lines for another issuer than the configured one", async () => {
  const settings = readIssuerOrTenants("own", { issuer: OTHER, audience: AUDIENCE }).issuers[0];
  assert.ok(settings !== undefined);
  const expected = { providers: [new ProviderProbe(settings)], own: null, audience: AUDIENCE };
  const token = mint.token({ iss: REALM, aud: AUDIENCE, typ: "Bearer" }, { typ: "JWT" });
  const { status, findings, code } = await explainToken(token, { ...expected, toleranceMs: 5_000 });
  assert.equal(status, "fail");
  assert.match(findings.find((one) => one.status === "fail")?.advice ?? "", /^only if tokens of this issuer/);
  assert.deepEqual(code, []);
  assert.ok(!findings.some(({ detail }) => detail.startsWith("the lines")));
});

test("doctor token does not call the issuer named by the token where --issuer names it", async () => {
  const token = mint.token({ iss: OTHER, aud: AUDIENCE });
  const expected = { providers: [], own: null, issuer: OTHER, audience: AUDIENCE, toleranceMs: 5_000 };
  const { findings, code } = await explainToken(token, expected);
  assert.equal(code.length, 2);
  assert.ok(!findings.some(({ detail }) => detail.includes("the token names")));
  const open = await explainToken(token, { ...expected, audience: undefined });
  assert.ok(open.findings.some(({ detail }) => detail.includes(`the token names: "${AUDIENCE}"`)));
});

test("doctor token refuses a token without iss, as a guard does", async () => {
  const { status, findings, code } = await explain({ iss: undefined, aud: AUDIENCE }, AUDIENCE);
  assert.equal(status, "fail");
  assert.match(findings.at(-1)?.detail ?? "", /^it has no iss, so that a guard refuses it/);
  assert.deepEqual(code, []);
  const expected = { providers: [], own: null, issuer: OTHER, audience: AUDIENCE, toleranceMs: 5_000 };
  const named = await explainToken(mint.token({ iss: undefined }), expected);
  assert.equal(named.findings.at(-1)?.detail, `it has no iss, and ${OTHER} is expected`);
});

test("doctor token never advises a secret beside the keys of a provider, nor an option that a preset lacks", async () => {
  const [own = null] = readIssuerOrTenants("own", {
    issuer: OTHER,
    audience: AUDIENCE,
    algorithms: ["RS256"],
  }).issuers;
  const expected = { providers: [], own, audience: AUDIENCE, toleranceMs: 5_000 };
  const judge = async (alg: string) => {
    const [, payload = ""] = mint.token({ iss: OTHER, aud: AUDIENCE }).split(".");
    const header = Buffer.from(JSON.stringify({ alg })).toString("base64url");
    const signature = "A".repeat(alg === "HS256" ? 43 : 86);
    const { findings } = await explainToken(`${header}.${payload}.${signature}`, expected);
    return findings.find(({ detail }) => /are accepted/.test(detail))?.advice ?? "";
  };
  assert.equal(await judge("HS256"), "get a token that is signed with RS256");
  assert.match(await judge("ES256"), /RS256; or algorithms: \["RS256","ES256"\], only if the provider means/);
  const iss = "https://clerk.example.com";
  const { findings } = await explain({ iss, aud: undefined, azp: "https://app.example.com" });
  const missing = findings.find(({ detail }) => detail === "it has no sid");
  assert.doesNotMatch(missing?.advice ?? "requiredClaims", /requiredClaims/);
});

test("doctor token escapes letters of another alphabet in the lines, because they can look like a known name", async () => {
  const iss = "https://id.example.org/\u0456dp";
  const report = await explain({ iss, aud: AUDIENCE }, AUDIENCE);
  assert.match(report.code.at(-1) ?? "", /"https:\/\/id\.example\.org\/\\u0456dp"/);
  assert.ok(report.findings.some(({ detail }) => /the token names: .*\\u0456dp/.test(detail)));
  assert.deepEqual(await pastedScopes(report, { iss, aud: AUDIENCE }), []);
});
