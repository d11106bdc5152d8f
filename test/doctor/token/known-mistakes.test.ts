import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { explainToken } from "../../../src/doctor/token/explain-token.ts";
import { createMint } from "../../../src/testing/index.ts";

const mint = await createMint({ issuer: "unused", audience: "unused", algorithm: "RS256" });
/** Entra and Google have the keys of the mint. */
mock.method(globalThis, "fetch", async () => Response.json(mint.jwks()));

type Claims = Readonly<Record<string, unknown>>;

async function explain(claims: Claims, audience?: string) {
  const token = mint.token(claims, { typ: "JWT" });
  const report = await explainToken(token, { providers: [], own: null, audience, toleranceMs: 5_000 });
  const failures = report.findings.filter(({ status }) => status === "fail");
  return { report, failures, code: report.code.join("\n") };
}

const tenant = "8d4c2fd9-0c7c-4a7b-8f0a-5b1c7f1f3f55";
const v1 = { iss: `https://sts.windows.net/${tenant}/`, appid: "spa", scp: "User.Read" };
const v2 = { iss: `https://login.microsoftonline.com/${tenant}/v2.0`, azp: "spa", scp: "orders.read" };

for (const [claims, aud] of [
  [v2, "00000003-0000-0000-c000-000000000000"],
  [v1, "https://graph.microsoft.com"],
  [v1, "https://graph.microsoft.com/"],
] as const) {
  test(`doctor token says that a token for ${aud} is for Graph, and proposes no lines`, async () => {
    for (const audience of [undefined, "6e74172b", aud]) {
      const { report, failures } = await explain({ ...claims, aud }, audience);
      assert.equal(report.status, "fail");
      assert.equal(failures.length, 1);
      assert.match(failures[0]?.detail ?? "", /the client asked for a scope of Graph/);
      assert.match(failures[0]?.advice ?? "", /api:\/\/CLIENT-ID\/SCOPE/);
      assert.deepEqual(report.code, []);
    }
  });
}

test("doctor token proposes the client that asked for a token of Entra, in both versions", async () => {
  for (const claims of [v1, v2]) {
    const { report, code } = await explain({ ...claims, aud: "api://6e74172b" });
    assert.equal(report.status, "ok");
    assert.match(code, /entra\(\{ tenant: ".+", clientId: "6e74172b", clients: \["spa"\] \}\)/);
  }
  const { report, code } = await explain({ ...v2, azp: undefined, aud: "6e74172b" });
  assert.equal(report.status, "ok");
  assert.doesNotMatch(code, /clients/);
});

const google = { iss: "https://accounts.google.com", aud: "123.apps.googleusercontent.com" };

test("doctor token asks for the e-mail in a token of a Google service account", async () => {
  const number = "112233445566778899000";
  const { failures, code } = await explain({
    ...google,
    aud: "https://api.example.com",
    azp: number,
    sub: number,
  });
  assert.equal(failures.length, 1);
  assert.match(failures[0]?.detail ?? "", /service account's token without its e-mail/);
  assert.match(failures[0]?.advice ?? "", /--include-email.*serviceAccounts/);
  assert.match(code, /clientId: "https:\/\/api\.example\.com", serviceAccounts: "your-account@/);
});

test("doctor token proposes clientId for another client of Google, and no change of claims", async () => {
  const { failures } = await explain({
    ...google,
    azp: "456.apps.googleusercontent.com",
    sub: "1",
    at_hash: "x",
  });
  assert.equal(failures.length, 1);
  assert.match(failures[0]?.advice ?? "", /add "456\.apps\.googleusercontent\.com" to clientId/);
});
