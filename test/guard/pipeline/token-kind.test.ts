import assert from "node:assert/strict";
import { test } from "node:test";
import { createGuard, introspection, staticKeys } from "../../../src/index.ts";
import { createIssuer } from "../../../src/issuer/index.ts";
import { memoryStore } from "../../../src/stores/memory.ts";
import { issuer, makeFixture } from "../fixture.ts";

const wrongType = { status: "invalid", reason: "wrong_type" };
const credentials = { url: `${issuer}/introspect`, clientId: "api", clientSecret: "s" };

test("fault 75: ID tokens, refresh tokens and security events are refused, and types decide about ID tokens", async (t) => {
  const { guard: makeGuard, mint } = await makeFixture();
  const guard = makeGuard();
  const forIdTokens = makeGuard({ types: ["id"] });
  t.after(async () => void (await Promise.all([guard.close(), forIdTokens.close()])));
  const typ = "JWT";
  const idTokens = [{ nonce: "n" }, { at_hash: "h" }, { c_hash: "h" }, { token_use: "id" }, { typ: "ID" }];
  for (const claims of idTokens) {
    assert.deepEqual(await guard.validate(mint.token(claims)), wrongType);
    assert.deepEqual(await guard.validate(mint.token(claims, { typ })), wrongType);
    assert.equal((await forIdTokens.validate(mint.token(claims, { typ }))).status, "valid");
  }
  for (const claims of [{ events: {} }, { typ: "Refresh" }, { token_use: "refresh" }, { typ: "Logout" }]) {
    assert.deepEqual(await guard.validate(mint.token(claims, { typ })), wrongType);
    assert.deepEqual(await forIdTokens.validate(mint.token(claims, { typ })), wrongType);
  }
  assert.deepEqual(await forIdTokens.validate(mint.token()), wrongType);
});

test("law 1: a guard for ID tokens alone refuses tokens with scope, scp or client_id, unless they state that they are ID tokens", async (t) => {
  const { guard: makeGuard, mint } = await makeFixture();
  const forIdTokens = makeGuard({ types: ["id"] });
  const forBoth = makeGuard({ types: ["id", "jwt"] });
  t.after(async () => void (await Promise.all([forBoth.close(), forIdTokens.close()])));
  for (const claims of [
    { scope: "read" },
    { scp: ["read"] },
    { client_id: "partner" },
    { scp: "read", nonce: "n" },
  ]) {
    for (const typ of ["JWT", undefined]) {
      const token = mint.token(claims, { typ });
      assert.deepEqual(await forIdTokens.validate(token), wrongType, JSON.stringify(claims));
      assert.equal((await forBoth.validate(token)).status, "valid");
    }
  }
  for (const claims of [
    { client_id: "web", nonce: "n" },
    { scope: "openid", at_hash: "h" },
    { scope: null },
  ]) {
    assert.equal((await forIdTokens.validate(mint.token(claims, { typ: "JWT" }))).status, "valid");
  }
});

test("fault 75: a refresh token that introspection calls active is refused, whether it is opaque or a JWT", async (t) => {
  const { guard: makeGuard, mint } = await makeFixture();
  let said: object = {};
  const fetch = async () =>
    Response.json({ active: true, iss: issuer, aud: mint.issuer, sub: "user", exp: 9e9, ...said });
  const authority = introspection({ ...credentials, opaque: true, fetch });
  const guard = makeGuard({ audience: null, authority });
  t.after(async () => await guard.close());
  let made = 0;
  for (said of [
    { token_use: "refresh_token" },
    { token_type: "refresh_token" },
    { token_type: "N_A" },
    { typ: "ID" },
  ]) {
    assert.deepEqual(await guard.validate(`opaque-refresh-token-${made++}`), wrongType);
    const token = mint.token();
    assert.deepEqual(await guard.validate(token), wrongType);
    assert.deepEqual(await guard.validate(token), wrongType, "the refusal is remembered");
  }
  for (said of [{ token_type: "Bearer" }, { token_use: "access_token" }, {}]) {
    assert.equal((await guard.validate(`opaque-access-token-${made++}`)).status, "valid");
    assert.equal((await guard.validate(mint.token())).status, "valid");
  }
});

test("fault 75: a refresh token of Holdfast never reaches an authority, whatever its opaque expression matches", async (t) => {
  const url = "https://own.example";
  const own = createIssuer({
    url,
    audience: url,
    store: memoryStore(),
    secret: "s".repeat(40),
    authenticate: async () => ({ subject: "ann", scopes: [] }),
  });
  t.after(async () => await own.close());
  await own.ready();
  const login = await own.login({ username: "ann" });
  assert.equal(login.status, "ok");
  const refreshToken = login.tokens.refresh_token;
  const { mint } = await makeFixture();
  for (const opaque of [true, /./]) {
    const asked: string[] = [];
    const fetch = async (_url: string, { body }: RequestInit) => {
      asked.push(new URLSearchParams(body as string).get("token") ?? "");
      return Response.json({ active: false });
    };
    const authority = introspection({ ...credentials, opaque, fetch });
    const keys = staticKeys(mint.jwks());
    const guard = createGuard({ issuer, audience: null, keys, authority });
    for (const token of [refreshToken, refreshToken.slice(0, 40), `${refreshToken}.x`]) {
      assert.deepEqual(await guard.validate(token), wrongType);
    }
    assert.deepEqual(
      asked.filter((token) => token.startsWith("hfr_")),
      [],
    );
    await guard.close();
  }
});
