import assert from "node:assert/strict";
import { test } from "node:test";
import { createGuard, introspection, staticKeys, type TrustedIssuer, type Verdict } from "../../src/index.ts";
import { audience, issuer, makeFixture } from "./fixture.ts";

function said(verdict: Verdict): string {
  return verdict.status === "invalid" ? verdict.reason : verdict.status;
}

function valid(verdict: Verdict): Extract<Verdict, { status: "valid" }> {
  assert.ok(verdict.status === "valid", said(verdict));
  return verdict;
}

test("audienceFrom compares another claim with the audience, and a token without it is refused", async () => {
  const { guard, mint } = await makeFixture();
  const guarded = guard({ audienceFrom: "client_id", audience: "app" });
  const validate = async (claims: object) =>
    said(await guarded.validate(mint.token({ aud: undefined, ...claims })));
  assert.equal(await validate({ client_id: "app" }), "valid");
  assert.equal(await validate({ client_id: "other" }), "wrong_audience");
  assert.equal(await validate({ aud: "app", client_id: "other" }), "wrong_audience");
  assert.equal(await validate({ aud: "app" }), "missing_claim");
  assert.equal(await validate({ client_id: { app: true } as never }), "wrong_audience");
});

test("the rule audience of a route reads the claim of audienceFrom, too", async () => {
  const { guard, mint } = await makeFixture();
  const guarded = guard({ audienceFrom: "azp", audience: ["https://a.example", "https://b.example"] });
  const token = mint.token({ aud: "https://b.example", azp: "https://a.example" });
  assert.equal((await guarded.authorize(token, { audience: "https://a.example" })).status, "valid");
  const refused = await guarded.authorize(token, { audience: "https://b.example" });
  assert.ok(refused.status === "invalid" && refused.reason === "wrong_audience");
  assert.equal(refused.detail?.claim, "azp");
});

test("subjectFrom names the subject, which is then the claim that is required", async () => {
  const { guard, mint } = await makeFixture();
  const guarded = guard({ subjectFrom: "oid" });
  assert.equal(valid(await guarded.validate(mint.token({ oid: "object-1" }))).subject, "object-1");
  assert.equal(
    valid(await guarded.validate(mint.token({ sub: undefined, oid: "object-1" }))).subject,
    "object-1",
  );
  assert.equal(said(await guarded.validate(mint.token())), "missing_claim");
  assert.equal(said(await guarded.validate(mint.token({ oid: "" }))), "missing_claim");
  assert.equal(said(await guarded.validate(mint.token({ oid: 7 }))), "invalid_claim");
  const either = guard({ subjectFrom: "oid", requiredClaims: [["sub", "email"], "azp"] });
  assert.equal(said(await either.validate(mint.token({ azp: "web" }))), "missing_claim");
  assert.equal(said(await either.validate(mint.token({ azp: "web", email: "a@b.example" }))), "valid");
  const listed = guard({ subjectFrom: "oid", requiredClaims: [["sub"], "azp"] });
  assert.equal(said(await listed.validate(mint.token({ azp: "web" }))), "missing_claim");
  assert.equal(valid(await listed.validate(mint.token({ azp: "web", oid: "object-1" }))).subject, "object-1");
  const lax = guard({ subjectFrom: "user.name", requiredClaims: [] });
  assert.equal(valid(await lax.validate(mint.token())).subject, "");
  assert.equal(valid(await lax.validate(mint.token({ user: { name: "ann" } }))).subject, "ann");
});

test("sessionFrom names the session; a token without it has none", async () => {
  const { guard, mint } = await makeFixture();
  const guarded = guard({ sessionFrom: "session_id" });
  assert.equal(
    valid(await guarded.validate(mint.token({ session_id: "s-1", sid: "other" }))).sessionId,
    "s-1",
  );
  assert.equal(valid(await guarded.validate(mint.token({ sid: "other" }))).sessionId, undefined);
  assert.equal(said(await guarded.validate(mint.token({ session_id: ["s-1"] }))), "invalid_claim");
});

test("law 3: a revocation names the subject and the session that the verdict names", async () => {
  const { guard, mint, log, revoke, revokeSubject } = await makeFixture();
  const guarded = guard({ revocations: log, subjectFrom: "oid", sessionFrom: "session_id" });
  await guarded.ready();
  const token = (claims: object) => mint.token({ iat: 1, ...claims });
  const first = token({ oid: "object-1", session_id: "s-1" });
  const second = token({ oid: "object-2", session_id: "s-2" });
  const namedAlike = token({ oid: "object-3", session_id: "s-3", sub: "object-1", sid: "s-2" });
  for (const one of [first, second, namedAlike]) assert.equal(said(await guarded.validate(one)), "valid");
  await log.append({ kind: "subject", id: "object-1", before: 2, issuer, until: Number.MAX_SAFE_INTEGER });
  await revoke("session", "s-2");
  await revokeSubject("nobody");
  await guarded.ready();
  assert.equal(said(await guarded.validate(first)), "revoked");
  assert.equal(said(await guarded.validate(second)), "revoked");
  assert.equal(said(await guarded.validate(namedAlike)), "valid");
  await guarded.close();
});

test("scopesFrom collects the scopes of several claims: texts, lists and paths", async () => {
  const { guard, mint } = await makeFixture();
  const scopesOf = async (scopesFrom: string | string[], claims: object) =>
    valid(await guard({ scopesFrom }).validate(mint.token({ scope: undefined, ...claims }))).scopes;
  assert.deepEqual(await scopesOf("permissions", { permissions: ["orders:read"], scope: "openid" }), [
    "orders:read",
  ]);
  const paths = [
    "scope",
    "permissions",
    "realm_access.roles",
    "resource_access.orders-api.roles",
    "cognito:groups",
  ];
  const claims = {
    scope: "openid profile",
    permissions: ["orders:read", "profile"],
    realm_access: { roles: ["user"] },
    resource_access: { "orders-api": { roles: ["editor"] }, other: { roles: ["admin"] } },
    "cognito:groups": ["Sales Team"],
  };
  const all = ["openid", "profile", "orders:read", "user", "editor", "Sales Team"];
  assert.deepEqual(await scopesOf(paths, claims), all);
  assert.deepEqual(await scopesOf(paths, { roles: ["admin"] }), []);
  assert.deepEqual(await scopesOf("roles", { roles: { admin: true } }), []);
  assert.deepEqual(await scopesOf("roles", { roles: [1, null, "", "a"] }), ["a"]);
});

test("scp counts where scope is absent, and each set of scopes is one shared array", async () => {
  const { guard, mint } = await makeFixture();
  const guarded = guard({ scopesFrom: ["scp", "roles"] });
  const scopesOf = async (claims: object) =>
    valid(await guarded.validate(mint.token({ scope: undefined, ...claims }))).scopes;
  assert.deepEqual(await scopesOf({ scp: "a b", roles: ["c"] }), ["a", "b", "c"]);
  assert.deepEqual(await scopesOf({ scp: "a b", scope: "d", roles: ["c"] }), ["d", "c"]);
  const one = await scopesOf({ scp: ["a"], roles: ["b c"] });
  assert.equal(await scopesOf({ scp: ["a"], roles: ["b c"], jti: "2" }), one);
  assert.deepEqual(await scopesOf({ scp: ["a"], roles: ["b", "c"] }), ["a", "b", "c"]);
});

test("the scopes of an authority's answer replace those of the token, claim by claim", async () => {
  const { guard, mint } = await makeFixture();
  const authority = introspection({
    url: "https://id.example/introspect",
    clientId: "api",
    clientSecret: "x",
    fetch: () => Response.json({ active: true, scope: "read", realm_access: { roles: ["user"] } }),
  });
  const guarded = guard({ authority, scopesFrom: ["scope", "permissions", "realm_access.roles"] });
  const verdict = await guarded.validate(mint.token({ scope: "read write", permissions: ["p"] }));
  assert.deepEqual(valid(verdict).scopes, ["read", "p", "user"]);
});

test("allowMissingIss accepts a token without iss, never one of another issuer, and needs a single issuer", async () => {
  const { guard, mint, clock } = await makeFixture();
  const guarded = guard({ allowMissingIss: true });
  assert.equal(said(await guarded.validate(mint.token({ iss: undefined }))), "valid");
  assert.equal(said(await guarded.validate(mint.token({ iss: "https://other.example" }))), "wrong_issuer");
  assert.equal(said(await guard().validate(mint.token({ iss: undefined }))), "missing_claim");
  const keys = staticKeys(mint.jwks());
  const trusted = (name: string, more: Partial<TrustedIssuer> = {}) => ({
    issuer: name,
    audience,
    keys,
    ...more,
  });
  const both = [trusted("https://a.example"), trusted("https://b.example", { allowMissingIss: true })];
  assert.throws(() => createGuard({ issuers: both }), {
    code: "invalid_option",
    message: /allowMissingIss needs a single issuer/,
  });
  const only = createGuard({ clock, issuers: [trusted(issuer, { allowMissingIss: true })] });
  assert.equal(said(await only.validate(mint.token({ iss: undefined }))), "valid");
});

test("createGuard refuses malformed claim options by name", async () => {
  const { guard } = await makeFixture();
  const wrong: [Partial<Record<keyof TrustedIssuer, unknown>>, RegExp][] = [
    [{ audienceFrom: "" }, /audienceFrom must be the name of a claim/],
    [{ audience: { claim: "client_id" } }, /audience must be .*audienceFrom names another claim/],
    [{ audienceFrom: ["aud"] }, /audienceFrom/],
    [{ audienceFrom: "client_id", audience: null }, /audienceFrom needs an audience/],
    [{ subjectFrom: 1 }, /subjectFrom/],
    [{ sessionFrom: null }, /sessionFrom/],
    [{ scopesFrom: [] }, /scopesFrom must be the name or path of a claim/],
    [{ scopesFrom: ["scope", ""] }, /scopesFrom/],
    [{ allowMissingIss: "yes" }, /allowMissingIss must be true or false/],
    [{ claims: { azp: ["a"] } }, /createGuard: claims\.azp must be .*oneOf/],
    [{ claims: "azp" }, /claims must be an object/],
  ];
  for (const [options, message] of wrong) {
    assert.throws(() => guard(options as Partial<TrustedIssuer>), { code: "invalid_option", message });
  }
});
