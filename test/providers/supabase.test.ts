import assert from "node:assert/strict";
import { test } from "node:test";
import { createGuard, jwks, sharedSecret } from "../../src/index.ts";
import { supabase } from "../../src/providers/index.ts";
import { createMint } from "../../src/testing/index.ts";
import { testOptions, testShapes, type Provider } from "./shapes.ts";

const url = "https://abcdefghijklmnopqrst.supabase.co";
const iss = `${url}/auth/v1`;
const provider: Provider = {
  name: "supabase",
  options: supabase({ url }),
  keysUrls: [`${iss}/.well-known/jwks.json`],
  token: {
    iss,
    aud: "authenticated",
    sub: "123e4567-e89b-12d3-a456-426614174000",
    role: "authenticated",
    aal: "aal1",
    amr: [{ method: "password", timestamp: 1 }],
    session_id: "s1",
    email: "alice@example.com",
    app_metadata: { provider: "email" },
    user_metadata: { role: "admin" },
    is_anonymous: false,
    auth_time: undefined,
  },
};
const client = "9a8b7c6d-5e4f-3a2b-1c0d-9e8f7a6b5c4d";

testShapes(provider, [
  { what: "a user's session", wanted: "valid", says: { sessionId: "s1", scopes: [] } },
  {
    what: "a session of an older project, without is_anonymous",
    claims: { is_anonymous: undefined },
    wanted: "valid",
  },
  { what: "a session with a role of a hook", claims: { role: "manager" }, wanted: "valid" },
  { what: "a session without phone, which is null", claims: { phone: null }, wanted: "valid" },
  { what: "an anonymous user", claims: { is_anonymous: true }, wanted: "wrong_claim" },
  {
    what: "an anonymous user, where those are accepted",
    options: supabase({ url, anonymous: true }),
    claims: { is_anonymous: true },
    wanted: "valid",
  },
  {
    what: "a token of another application (OAuth server)",
    claims: { client_id: client },
    wanted: "wrong_claim",
  },
  {
    what: "a token of an accepted application",
    options: supabase({ url, clients: client }),
    claims: { client_id: client },
    wanted: "valid",
  },
  {
    what: "the API key anon",
    claims: { iss: "supabase", ref: "abcdefghijklmnopqrst", role: "anon", aud: undefined, sub: undefined },
    wanted: "wrong_issuer",
  },
  {
    what: "the API key service_role",
    claims: {
      iss: "supabase",
      ref: "abcdefghijklmnopqrst",
      role: "service_role",
      aud: undefined,
      sub: undefined,
    },
    wanted: "wrong_issuer",
  },
  { what: "a token for anon", claims: { aud: "anon", role: "anon" }, wanted: "wrong_audience" },
  { what: "a token without session", claims: { session_id: undefined }, wanted: "missing_claim" },
  {
    what: "a token of another project",
    claims: { iss: "https://other.supabase.co/auth/v1" },
    wanted: "wrong_issuer",
  },
  {
    what: "an ID token of the OAuth server",
    claims: { aud: client, nonce: "n", at_hash: "x" },
    wanted: "wrong_type",
  },
]);

testOptions("supabase", supabase, [
  [{ url: "abcdefghijklmnopqrst" }, /supabase: url must be an http or https address/],
  [{ url, anonymous: "no" }, /supabase: anonymous must be true or false/],
  [{}, /supabase: url/],
]);

test("supabase: the legacy secret beside the key set accepts tokens of both, and the preset alone refuses those of the secret", async (t) => {
  const options = { issuer: iss, audience: "authenticated" };
  const [legacy, current] = [
    await createMint({ ...options, algorithm: "HS256" }),
    await createMint({ ...options, algorithm: "ES256" }),
  ];
  assert.ok(legacy.secret !== null);
  t.mock.method(globalThis, "fetch", async () => Response.json(current.jwks()));
  const keys = [jwks(`${iss}/.well-known/jwks.json`), sharedSecret(legacy.secret, "HS256")];
  const alone = createGuard({ ...supabase({ url }), warnings: false, name: "alone" });
  const both = createGuard({ ...supabase({ url }), keys, warnings: false, name: "both" });
  t.after(async () => await Promise.all([alone.close(), both.close()]));

  const session = { session_id: "s1", role: "authenticated" };
  const old = legacy.token(session, { typ: "JWT", kid: "legacy" });
  assert.deepEqual(await alone.validate(old), { status: "invalid", reason: "wrong_algorithm" });
  for (const token of [old, current.token(session, { typ: "JWT" })]) {
    assert.equal((await both.validate(token)).status, "valid");
  }
});
