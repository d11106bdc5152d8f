import assert from "node:assert/strict";
import { test } from "node:test";
import { introspection, oneOf, type Decision, type Rules, type TrustedIssuer } from "../../src/index.ts";
import { audience, issuer, makeFixture } from "./fixture.ts";

function said(decision: Decision): string {
  if (decision.status === "invalid") return decision.reason;
  return decision.status === "forbidden" ? `forbidden ${decision.missing.join(" ")}` : decision.status;
}

test("a token whose claim has another value is refused with wrong_claim, and the detail names the claim", async () => {
  const { guard, mint } = await makeFixture();
  const claims = { token_use: "access", azp: oneOf("https://app.example", "https://admin.example") };
  const guarded = guard({ claims });
  const validate = async (more: Record<string, unknown>) => await guarded.validate(mint.token(more));
  assert.equal((await validate({ token_use: "access", azp: "https://app.example" })).status, "valid");
  const refused = await validate({ token_use: "access", azp: "https://evil.example" });
  assert.equal(said(refused), "wrong_claim");
  const expected = { issuer, claim: "azp", expected: claims.azp.oneOf, got: "https://evil.example" };
  assert.deepEqual("detail" in refused ? refused.detail : null, expected);
  const lacking = await validate({ token_use: "access" });
  assert.equal(said(lacking), "wrong_claim");
  assert.deepEqual("detail" in lacking && lacking.detail?.got, null);
});

test("law 9: the rules of a call judge each call, whatever an earlier call accepted", async () => {
  const { guard, mint } = await makeFixture();
  const guarded = guard();
  const token = mint.token({ tid: "a", scope: "orders:read" });
  const decide = async (rules: Rules) => said(await guarded.authorize(token, rules));
  assert.equal(await decide({}), "valid");
  assert.equal(await decide({ claims: { tid: "b" } }), "wrong_claim");
  assert.equal(await decide({ claims: { tid: oneOf("b", "a") } }), "valid");
  await assert.rejects(guarded.authorize(token, { claims: { tid: "" } }), { code: "invalid_option" });
});

test("anyScope needs one of its scopes, in addition to all of scopes", async () => {
  const { guard, mint } = await makeFixture();
  const guarded = guard();
  const token = mint.token({ scope: "orders:read profile" });
  const decide = async (rules: Rules) => said(await guarded.authorize(token, rules));
  assert.equal(await decide({ anyScope: ["orders:write", "orders:read"] }), "valid");
  assert.equal(await decide({ anyScope: ["a", "b"] }), "forbidden a b");
  assert.equal(await decide({ scopes: ["profile", "c"], anyScope: ["a", "orders:read"] }), "forbidden c");
  assert.equal(await decide({ scopes: ["a"], anyScope: ["a", "b"] }), "forbidden a b");
  for (const anyScope of [[], "orders:read", [1]]) {
    await assert.rejects(guarded.authorize(token, { anyScope } as unknown as Rules), {
      code: "invalid_option",
      message: /anyScope must be an array of at least one string/,
    });
  }
});

test("the authority's answer may supply the claim of a rule, and its answer is judged", async () => {
  const { guard, mint } = await makeFixture();
  const withAnswer = (answer: object, more: Partial<TrustedIssuer> = {}) =>
    guard({
      ...more,
      authority: introspection({
        url: "https://id.example/introspect",
        clientId: "api",
        clientSecret: "x",
        fetch: () => Response.json({ active: true, ...answer }),
      }),
    });
  const token = mint.token();
  const claims = { tid: "a" };
  assert.equal(said(await withAnswer({ tid: "a" }, { claims }).validate(token)), "valid");
  assert.equal(said(await withAnswer({ tid: "b" }, { claims }).validate(token)), "wrong_claim");
  assert.equal(said(await withAnswer({}, { claims }).validate(token)), "wrong_claim");
  assert.equal(said(await withAnswer({ tid: "a" }).authorize(token, { claims })), "valid");
  assert.equal(said(await withAnswer({ tid: "b" }).authorize(token, { claims })), "wrong_claim");
  const other = mint.token({ tid: "b" });
  assert.equal(said(await withAnswer({ tid: "a" }, { claims }).validate(other)), "wrong_claim");
});

test("each refusal by a claim tells the claim, what is expected and what the token has", async () => {
  const { guard, mint } = await makeFixture();
  const detailOf = async (claims: Record<string, unknown>, options: Partial<TrustedIssuer> = {}) => {
    const verdict = await guard(options).validate(mint.token(claims));
    return verdict.status === "invalid" ? [verdict.reason, verdict.detail] : [verdict.status];
  };
  assert.deepEqual(await detailOf({ aud: ["account"] }), [
    "wrong_audience",
    { issuer, claim: "aud", expected: [audience], got: ["account"] },
  ]);
  assert.deepEqual(await detailOf({ aud: undefined }), [
    "missing_claim",
    { issuer, claim: "aud", expected: [audience], got: null },
  ]);
  assert.deepEqual(await detailOf({ iss: "https://id.example/" }), [
    "wrong_issuer",
    { issuer, claim: "iss", expected: ["https://id.example"], got: "https://id.example/" },
  ]);
  assert.deepEqual(await detailOf({ token_use: "id" }), [
    "wrong_type",
    { issuer, claim: "token_use", expected: ["access"], got: "id" },
  ]);
  assert.deepEqual(await detailOf({ nonce: "n" }), [
    "wrong_type",
    { issuer, claim: "nonce", expected: ["access"], got: "n" },
  ]);
  assert.deepEqual(await detailOf({ sub: undefined }), [
    "missing_claim",
    { issuer, claim: "sub", expected: [], got: null },
  ]);
});

test("a cached refusal keeps its detail, and a forged token gets none", async () => {
  const { guard, mint } = await makeFixture();
  const guarded = guard();
  const token = mint.token({ aud: "elsewhere" });
  const first = await guarded.validate(token);
  const again = await guarded.validate(token);
  assert.ok(first.status === "invalid" && again.status === "invalid");
  assert.deepEqual(again.detail, first.detail);
  assert.equal(guarded.status().memory.invalid.hits, 1);
  const signature = token.slice(token.lastIndexOf(".") + 1);
  const forged = token.replace(signature, (signature.startsWith("A") ? "B" : "A") + signature.slice(1));
  const verdict = await guarded.validate(forged);
  assert.ok(verdict.status === "invalid" && verdict.reason === "bad_signature");
  assert.equal(verdict.detail, undefined);
});
