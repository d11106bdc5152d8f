import assert from "node:assert/strict";
import { mock, test, type TestContext } from "node:test";
import {
  explainToken,
  type TokenExpectations,
  type TokenReport,
} from "../../../src/doctor/token/explain-token.ts";
import { readIssuerOrTenants } from "../../../src/guard/issuer-settings.ts";
import { createGuard, type GuardOptions } from "../../../src/index.ts";
import * as presets from "../../../src/providers/index.ts";
import { createMint } from "../../../src/testing/index.ts";
import { runHoldfast } from "../../cli/cli-process.ts";
import { temporaryDataDir } from "../../server/temporary-settings.ts";
import {
  AUDIENCE,
  makeContext,
  makeSettings,
  providerSettings,
  startKeycloak,
  startProvider,
} from "../fixture.ts";

type Claims = Readonly<Record<string, unknown>>;

const mint = await createMint({ issuer: "unused", audience: "unused", algorithm: "RS256" });

/** The providers of the internet, which all have the keys of the mint. Servers of this machine are asked as usual. */
const realFetch = globalThis.fetch;
mock.method(globalThis, "fetch", async (url: string, init?: RequestInit) => {
  if (!url.startsWith("https:")) return await realFetch(url, init);
  const metadataAt = url.indexOf("/.well-known/openid-configuration");
  const issuer = url.slice(0, metadataAt);
  return Response.json(metadataAt < 0 ? mint.jwks() : { issuer, jwks_uri: `${issuer}/jwks` });
});

const nothing: TokenExpectations = { providers: [], own: null, audience: undefined, toleranceMs: 5_000 };

function assertFinding({ findings }: TokenReport, status: string, detail: RegExp, advice?: RegExp): void {
  const found = findings.find((one) => one.status === status && detail.test(one.detail));
  assert.ok(found !== undefined, JSON.stringify(findings, null, 1));
  if (advice !== undefined) assert.match(found.advice ?? "", advice);
}

function assertAccepted({ findings, status }: TokenReport): void {
  assert.equal(status, "ok", JSON.stringify(findings, null, 1));
}

const tid = "8d4c2fd9-0c7c-4a7b-8f0a-5b1c7f1f3f55";
/** An access token of each provider, as its page in docs/providers/index.md describes it. */
const usual: Readonly<Record<keyof typeof presets, Claims>> = {
  keycloak: {
    iss: "https://id.example.com/realms/shop",
    aud: ["orders-api", "account"],
    typ: "Bearer",
    azp: "spa",
  },
  auth0: { iss: "https://example.eu.auth0.com/", aud: [AUDIENCE, "https://example.eu.auth0.com/userinfo"] },
  entra: {
    iss: `https://login.microsoftonline.com/${tid}/v2.0`,
    aud: "6e74172b",
    azp: "spa",
    scp: "orders.read",
  },
  okta: {
    iss: "https://example.okta.com/oauth2/default",
    aud: "api://default",
    cid: "c1",
    scp: ["orders:read"],
  },
  cognito: {
    iss: "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Ab1Cd2Ef3",
    aud: undefined,
    client_id: "c1",
    token_use: "access",
  },
  clerk: {
    iss: "https://clerk.example.com",
    aud: undefined,
    azp: "https://app.example.com",
    sid: "s1",
    sts: "active",
  },
  firebase: { iss: "https://securetoken.google.com/example-shop", aud: "example-shop", auth_time: 1 },
  google: { iss: "https://accounts.google.com", aud: "123.apps.googleusercontent.com", at_hash: "x" },
  supabase: {
    iss: "https://abcdefghijklmnopqrst.supabase.co/auth/v1",
    aud: "authenticated",
    session_id: "s1",
    is_anonymous: false,
  },
};

for (const [name, claims] of Object.entries(usual)) {
  test(`doctor token knows a token of ${name}, accepts it by the preset, and gives code that works`, async () => {
    const report = await explainToken(mint.token(claims, { typ: "JWT" }), nothing);
    assertAccepted(report);
    assertFinding(report, "ok", new RegExp(`the preset ${name} fits`));
    assertFinding(report, "ok", /signature is that of the provider/);
    assert.deepEqual(report.code.slice(0, 2), [
      'import { createGuard } from "holdfast-guard";',
      `import { ${name} } from "holdfast-guard/providers";`,
    ]);
    // oxlint-disable-next-line typescript/no-implied-eval -- The code is what a reader pastes.
    const evaluate = new Function("createGuard", name, `return ${report.code[2]};`) as (
      make: (options: GuardOptions) => unknown,
      preset: unknown,
    ) => GuardOptions;
    const options = evaluate((given) => given, Object.entries(presets).find(([one]) => one === name)?.[1]);
    await createGuard(options).close();
  });
}

test("doctor token says that a token of Keycloak is for account, and how to change that", async () => {
  const token = mint.token({ ...usual.keycloak, aud: "account" }, { typ: "JWT" });
  const report = await explainToken(token, { ...nothing, audience: "orders-api" });
  assertFinding(report, "fail", /aud is "account", and "orders-api" is expected/, /audience mapper/);
  assert.match(report.code[2] ?? "", /audience: "orders-api"/);
});

for (const aud of ["account", ["account", "realm-management"], undefined]) {
  test(`doctor token asks for the name of the API where a token of Keycloak has the aud ${JSON.stringify(aud)}`, async () => {
    const report = await explainToken(mint.token({ ...usual.keycloak, aud }, { typ: "JWT" }), nothing);
    assertFinding(report, "fail", /aud/, /audience mapper for your API .*--audience/);
    assert.doesNotMatch(JSON.stringify(report), /your-api/);
    assert.deepEqual(report.code, [], "every audience in these lines would be a guess");
    const named = await explainToken(mint.token({ ...usual.keycloak, aud }, { typ: "JWT" }), {
      ...nothing,
      audience: "orders-api",
    });
    assertFinding(named, "fail", /aud/, /audience mapper for "orders-api"/);
    assert.match(named.code[2] ?? "", /audience: "orders-api"/);
  });
}

for (const [provider, token, own] of [
  ["Keycloak", usual.keycloak, "orders-api"],
  ["a provider without a preset", { iss: "https://id.example.org", aud: "orders-api" }, "orders-api"],
  ["Entra", usual.entra, "6e74172b"],
] as const) {
  test(`doctor token proposes no lines with an audience that a token of ${provider} does not have`, async () => {
    const other = await explainToken(mint.token(token, { typ: "JWT" }), {
      ...nothing,
      audience: "other-api",
    });
    assertFinding(other, "fail", /"other-api"/, new RegExp(`if "${own}" is your API, run .*--audience`));
    assert.deepEqual(other.code, []);
    const again = await explainToken(mint.token(token, { typ: "JWT" }), { ...nothing, audience: own });
    assertAccepted(again);
    assert.match(again.code.at(-1) ?? "", new RegExp(`"${own}"`));
  });
}

for (const iss of [usual.keycloak["iss"], "https://id.example.org"]) {
  test(`doctor token asks which of several audiences of a token of ${iss as string} is the API`, async () => {
    const token = mint.token(
      { iss, aud: ["billing-api", "orders-api", "account"], typ: "Bearer" },
      { typ: "JWT" },
    );
    const report = await explainToken(token, nothing);
    assertFinding(report, "warn", /several APIs, and the lines take "billing-api"/, /--audience/);
    assert.match(report.code.at(-1) ?? "", /"billing-api"/);
    assert.doesNotMatch(
      report.code.at(-1) ?? "",
      /orders-api|account/,
      "tokens for other APIs are not accepted",
    );
    const named = await explainToken(token, { ...nothing, audience: "orders-api" });
    assertAccepted(named);
    assert.match(named.code.at(-1) ?? "", /"orders-api"/);
  });
}

test("doctor token proposes no lines for an ID token that the provider's preset refuses", async () => {
  const id = mint.token({ ...usual.keycloak, aud: "spa", typ: "ID", nonce: "n" }, { typ: "JWT" });
  assert.deepEqual((await explainToken(id, nothing)).code, []);
});

test("doctor token names ID tokens, refresh tokens and tokens that are bound to a key", async () => {
  const explain = async (claims: Claims) =>
    await explainToken(mint.token({ ...usual.keycloak, ...claims }, { typ: "JWT" }), nothing);
  assertFinding(
    await explain({ typ: "ID", nonce: "n" }),
    "fail",
    /this is an ID token/,
    /^send the access token that came with it$/,
  );
  const other = { iss: "https://id.example.org", typ: "ID", nonce: "n" };
  assertFinding(await explain(other), "fail", /this is an ID token/, /or write types: \["id"\]/);
  assertFinding(
    await explain({ typ: "Refresh" }),
    "fail",
    /no access token: its typ is "Refresh"/,
    /access token/,
  );
  assertFinding(await explain({ cnf: { jkt: "x" } }), "fail", /bound to a key of its sender/, /without DPoP/);
});

test("doctor token names the service account of Google that a token is of", async () => {
  const email = "orders@example.iam.gserviceaccount.com";
  const claims = { ...usual.google, azp: "1122", email, email_verified: true, at_hash: undefined };
  const report = await explainToken(mint.token(claims, { typ: "JWT" }), nothing);
  assertAccepted(report);
  assert.match(report.code.join("\n"), /serviceAccounts: "orders@example\.iam\.gserviceaccount\.com"/);
});

test("doctor token explains why an access token is refused where ID tokens alone are expected", async () => {
  const claims = { ...usual.google, at_hash: undefined, scope: "openid" };
  const report = await explainToken(mint.token(claims, { typ: "JWT" }), nothing);
  assertFinding(report, "fail", /this is an access token.*\(scope is "openid"\)/, /send the ID token/);
});

test("doctor token proposes another claim for the audience where a token has no aud", async () => {
  const claims = { iss: "https://id.example.org", aud: undefined, client_id: "orders-app" };
  const report = await explainToken(mint.token(claims), { ...nothing, audience: AUDIENCE });
  assertFinding(report, "fail", /it has no aud/, /audienceFrom: "client_id", audience: "orders-app"/);
});

test("doctor token says how long a token has been expired, and that it is not valid yet", async () => {
  const now = Math.floor(Date.now() / 1000);
  const explain = async (claims: Claims) =>
    await explainToken(mint.token({ ...usual.auth0, ...claims }), nothing);
  assertFinding(await explain({ exp: now - 7200 }), "fail", /expired 2 hours ago/, /clocks/);
  const tolerant = { ...nothing, toleranceMs: 300_000 };
  const late = await explainToken(mint.token({ ...usual.auth0, exp: now - 30 }), tolerant);
  const accepted = /expired \d+ seconds ago, still accepted for \d minutes \(clock tolerance 5 minutes\)/;
  assertFinding(late, "warn", accepted, /clocks/);
  assertFinding(await explain({ nbf: now + 600, exp: now + 900 }), "fail", /another 10 minutes/, /clocks/);
  assertFinding(await explain({ exp: undefined }), "warn", /never expires/, /allowMissingExp/);
});

for (const [what, make, detail, advice] of [
  [
    "an encrypted token",
    () => `${part({ alg: "RSA-OAEP", enc: "A256GCM" })}.a.b.c.d`,
    /encrypted token \(JWE\)/,
    /signed/,
  ],
  [
    "a token without signature",
    () => `${part({ alg: "none" })}.${part({ iss: "x" })}.`,
    /no signature/,
    /signed/,
  ],
  [
    "an unknown algorithm",
    () => `${part({ alg: "XS256" })}.${part({})}.AA`,
    /signed with XS256/,
    /ES256 or RS256/,
  ],
  [
    "critical extensions",
    () => `${part({ alg: "RS256", crit: ["x"] })}.${part({})}.AA`,
    /crit/,
    /without them/,
  ],
  [
    "damaged claims",
    () => `${part({ alg: "RS256" })}.AAAA.AA`,
    /claims of the token are damaged/,
    /copy it again/,
  ],
  ["a refresh token of Holdfast", () => `hfr_${"A".repeat(60)}`, /refresh token of Holdfast/, /access token/],
  ["nothing", () => " \n", /no token/, /standard input/],
  [
    "an opaque token without an authority",
    () => "A".repeat(40),
    /no configured authority/,
    /HOLDFAST_AUTHORITY_URL/,
  ],
] as const) {
  test(`doctor token explains ${what}`, async () => {
    const report = await explainToken(make(), nothing);
    assertFinding(report, "fail", detail, advice);
    assert.equal(report.status, "fail");
  });
}

function part(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

test("doctor token reads a token as people copy it", async () => {
  const token = mint.token(usual.auth0);
  for (const text of [`Bearer ${token}\n`, `Authorization: Bearer ${token}`, `"${token}"`]) {
    const report = await explainToken(text, nothing);
    assertAccepted(report);
    assertFinding(report, "ok", /taken out of a header or of quotation marks/);
  }
  const answer = JSON.stringify({ access_token: token, token_type: "Bearer" }, null, 2);
  assertFinding(await explainToken(answer, nothing), "ok", /taken out of access_token/);
  assertAccepted(await explainToken(answer, nothing));
  const broken = await explainToken(`${token.slice(0, 40)}\n${token.slice(40)}`, nothing);
  assertFinding(broken, "warn", /line breaks in it/, /one piece/);
  const long = await explainToken(mint.token({ ...usual.auth0, groups: "x".repeat(16_000) }), nothing);
  assertFinding(long, "fail", /and a guard takes 16384/, /maxTokenBytes/);
});

async function configure(t: TestContext, more: Readonly<Record<string, string>> = {}) {
  const provider = await startProvider(t);
  const settings = await makeSettings({ ...providerSettings(provider), ...more });
  const { providers, identity } = await makeContext(settings);
  const [own = null] = readIssuerOrTenants("own", { issuer: identity.url, audience: AUDIENCE }).issuers;
  return { provider, expected: { providers, own, audience: AUDIENCE, toleranceMs: 5_000 } };
}

test("doctor token verifies a token of a configured provider, and asks its authority", async (t) => {
  const { provider, expected } = await configure(t);
  const report = await explainToken(provider.token(), expected);
  assertAccepted(report);
  assertFinding(report, "ok", /signature is that of the provider/);
  assertFinding(report, "ok", /says that it is active/);
  provider.revoke("t1");
  const revoked = await explainToken(provider.token({ jti: "t1" }), expected);
  assertFinding(revoked, "fail", /says that it is not active/, /whether this client may ask/);
  assertAccepted(await explainToken(provider.opaqueToken(), expected));
});

test("doctor token finds a key that the provider does not have, and a signature that is not its own", async (t) => {
  const { provider, expected } = await configure(t);
  const other = await createMint({ issuer: provider.issuer, audience: AUDIENCE });
  const unknown = await explainToken(other.token(), expected);
  assertFinding(unknown, "fail", /its key ".+" is not in the key set/, /another environment/);
  const [{ kid = "" } = {}] = provider.jwks().keys as { kid?: string }[];
  const forged = await explainToken(other.token({}, { kid }), expected);
  assertFinding(forged, "fail", /no key of the set made its signature|no key of the set is for/, /altered/);
  const again = await configure(t);
  again.provider.fault("jwks", { status: 503 });
  assertFinding(
    await explainToken(again.provider.token(), again.expected),
    "fail",
    /cannot be verified: .*503/,
    /networks/,
  );
});

test("doctor token says in what the issuer of a token differs from the configured one", async (t) => {
  const { provider, expected } = await configure(t);
  const explain = async (iss: string) => await explainToken(provider.token({ iss }), expected);
  assertFinding(
    await explain(`${provider.issuer}/`),
    "fail",
    /differ by a slash at the end/,
    /HOLDFAST_PROVIDER_ISSUER=/,
  );
  const https = provider.issuer.replace("http:", "https:");
  assertFinding(await explain(https), "fail", /differ by http and https/, /HOLDFAST_PROVIDER_ISSUER=/);
});

test("doctor token proposes no line with text of a stranger that a shell would run, and cuts long texts", async (t) => {
  const { provider, expected } = await configure(t);
  const hostile = await explainToken(
    provider.token({ iss: "https://x.example/$(touch /tmp/owned)" }),
    expected,
  );
  assertFinding(hostile, "fail", /is not http/, /: set HOLDFAST_PROVIDER_ISSUER to that text$/);
  const long = await explainToken(
    provider.token({ iss: `https://x.example/${"a".repeat(9_000)}` }),
    expected,
  );
  assert.ok(
    long.findings.every(({ detail, advice }) => detail.length < 1_100 && (advice ?? "").length < 1_100),
  );
});

test("doctor token points to token inspect for a token of the service itself", async (t) => {
  const { expected } = await configure(t, { HOLDFAST_URL: "https://auth.example" });
  const report = await explainToken(mint.token({ iss: "https://auth.example", aud: AUDIENCE }), expected);
  assertFinding(
    report,
    "warn",
    /its signature and its revocation are not verified/,
    /holdfast token inspect/,
  );
  assert.equal(report.status, "warn");
  const other = await explainToken(mint.token({ iss: "https://auth.example", aud: "x" }), expected);
  assertFinding(other, "fail", /aud is "x"/);
});

test("law 5: doctor token prints no part of the signature, and no claim that identifies a user", async (t) => {
  const data = await temporaryDataDir();
  const { issuer } = await startKeycloak(t, mint.jwks());
  const token = mint.token(
    { ...usual.keycloak, iss: issuer, sub: "user-hunter2", email: "hunter2@example.com" },
    { typ: "JWT" },
  );
  for (const args of [[], ["--json"], ["--audience", "https://other.example"]]) {
    const { out, err, code } = await runHoldfast(["doctor", "token", ...args], { data, input: token });
    assert.match(out, /keycloak/);
    for (const secret of token.split(".")) assert.ok(!(out + err).includes(secret));
    assert.doesNotMatch(out + err, /hunter2/);
    assert.equal(code, args[0] === "--audience" ? 1 : 0);
  }
});
