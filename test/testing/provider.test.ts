import assert from "node:assert/strict";
import { test } from "node:test";
import * as jose from "jose";
import { createProvider, FakeClock, type Provider } from "../../src/testing/index.ts";

const audience = "https://api.example.com";

/** The same provider in-process and over the network. */
const ways = {
  "in-process": async () => {
    const provider = await createProvider({ audience });
    return { provider, fetch: provider.fetch, close: async () => {} };
  },
  listening: async () => {
    const provider = await createProvider({ audience });
    await provider.listen();
    return { provider, fetch, close: async () => await provider.close() };
  },
};

interface Metadata {
  issuer: string;
  jwks_uri: string;
  introspection_endpoint: string;
}

type Fetch = (url: string, init?: RequestInit) => Promise<Response>;

const basic = ({ clientId, clientSecret }: Provider) =>
  `Basic ${btoa([clientId, clientSecret].map(encodeURIComponent).join(":"))}`;

async function introspect(provider: Provider, fetch: Fetch, token: string, init: RequestInit = {}) {
  const headers = { authorization: basic(provider) };
  const body = new URLSearchParams({ token });
  const url = provider.url("introspection");
  const response = await fetch(url, { method: "POST", headers, body, ...init });
  assert.equal(response.status, 200);
  return (await response.json()) as Record<string, unknown>;
}

async function validate(provider: Provider, fetch: Fetch, token: string): Promise<unknown> {
  const headers = { authorization: `Bearer ${provider.bearer}`, "content-type": "application/json" };
  const init = { method: "POST", headers, body: JSON.stringify({ token }) };
  return await (await fetch(provider.url("validate"), init)).json();
}

for (const [way, open] of Object.entries(ways)) {
  test(`${way}: both kinds of metadata lead to a key set that verifies the tokens`, async (t) => {
    const { provider, fetch, close } = await open();
    t.after(close);
    for (const endpoint of ["discovery", "metadata"] as const) {
      const metadata = (await (await fetch(provider.url(endpoint))).json()) as Metadata;
      assert.equal(metadata.issuer, provider.issuer);
      assert.equal(metadata.introspection_endpoint, provider.url("introspection"));
      const answer = await fetch(metadata.jwks_uri);
      assert.equal(answer.headers.get("cache-control"), "max-age=300");
      const keys = jose.createLocalJWKSet((await answer.json()) as jose.JSONWebKeySet);
      const { issuer } = provider;
      const { payload } = await jose.jwtVerify(provider.token({ sub: "a" }), keys, { issuer, audience });
      assert.equal(payload.sub, "a");
    }
  });

  test(`${way}: introspection and validation know JWTs and opaque tokens of the provider, and no others`, async (t) => {
    const { provider, fetch, close } = await open();
    t.after(close);
    for (const token of [
      provider.token({ sub: "a", scope: "x" }),
      provider.opaqueToken({ sub: "a", scope: "x" }),
    ]) {
      const said = await introspect(provider, fetch, token);
      assert.equal(said["active"], true);
      assert.equal(said["scope"], "x");
      assert.equal(said["iss"], provider.issuer);
      const { valid, claims } = (await validate(provider, fetch, token)) as {
        valid: boolean;
        claims: jose.JWTPayload;
      };
      assert.deepEqual([valid, claims.sub, claims.aud], [true, "a", audience]);
    }
    const foreign = await createProvider({ audience, issuer: provider.issuer });
    const altered = provider.token({ iss: "https://other.example.com" });
    for (const token of [foreign.token(), foreign.opaqueToken(), altered, "x"]) {
      assert.deepEqual(await introspect(provider, fetch, token), { active: false });
      assert.deepEqual(await validate(provider, fetch, token), { valid: false, reason: "unknown_token" });
    }
  });

  test(`${way}: a request without credentials or of another form gets the error of the RFCs`, async (t) => {
    const { provider, fetch, close } = await open();
    t.after(close);
    const { clientId: client_id, clientSecret: client_secret, bearer } = provider;
    const token = provider.token();
    const good = { token, client_id, client_secret };
    const ask = async (fields: Record<string, string>, headers: Record<string, string> = {}) => {
      const init = { method: "POST", headers, body: new URLSearchParams(fields) };
      return (await fetch(provider.url("introspection"), init)).status;
    };
    assert.equal(await ask(good), 200);
    assert.equal(await ask({ token }, { authorization: basic(provider) }), 200);
    assert.equal(await ask({ token }, { authorization: `Bearer ${bearer}` }), 200);
    assert.equal(await ask({ token }), 401);
    assert.equal(await ask({ ...good, client_secret: "x" }), 401);
    assert.equal(await ask(good, { authorization: basic(provider) }), 401);
    assert.equal(await ask({ token }, { authorization: "Bearer x" }), 401);
    assert.equal(await ask({ client_id, client_secret }), 400);
    assert.equal(await ask(good, { "content-type": "application/json" }), 400);
    assert.equal((await fetch(provider.url("introspection"))).status, 405);
    assert.equal((await fetch(provider.url("jwks"), { method: "POST" })).status, 405);
    assert.equal((await fetch(new URL("/other", provider.url("jwks")).href)).status, 404);
  });
}

test("credentials with special characters are decoded as in RFC 6749 §2.3.1", async () => {
  const provider = await createProvider({ audience, clientId: "a:b", clientSecret: "c+d %:&=ü" });
  assert.equal((await introspect(provider, provider.fetch, provider.token()))["active"], true);
});

test("a revoked or expired token is inactive, and so are all tokens of a revoked session or subject", async () => {
  const clock = new FakeClock();
  const provider = await createProvider({ audience, clock, lifetimeMs: 60_000 });
  const reason = async (token: string) =>
    ((await validate(provider, provider.fetch, token)) as { reason?: string }).reason;
  const make = [
    (claims: object) => provider.token({ ...claims }),
    (claims: object) => provider.opaqueToken({ ...claims }),
  ];
  for (const token of make) {
    const [one, byId, other] = [token({}), token({ jti: "t1" }), token({})];
    provider.revoke(one);
    provider.revoke("t1");
    assert.deepEqual(
      [await reason(one), await reason(byId), await reason(other)],
      ["revoked", "revoked", undefined],
    );
    await clock.advance(60_000);
    assert.equal(await reason(other), "expired");
  }
  provider.revoke("s1");
  provider.revoke("bob");
  for (const token of make) {
    assert.equal(await reason(token({ sid: "s1" })), "revoked");
    assert.equal(await reason(token({ sub: "bob" })), "revoked");
    assert.equal(await reason(token({ sid: "s2", sub: "alice" })), undefined);
  }
});

test("a key is published before it signs, stays after a rotation, and can vanish", async () => {
  const provider = await createProvider({ audience });
  const published = () => provider.jwks().keys.map(({ kid }) => kid);
  const kidOf = (token: string) => jose.decodeProtectedHeader(token).kid;
  const first = provider.kid;
  const early = provider.token();
  const next = await provider.publishNext();
  assert.deepEqual(published(), [first, next]);
  assert.equal(kidOf(provider.token()), first);
  assert.equal(await provider.rotate(), next);
  assert.equal(kidOf(provider.token()), next);
  provider.vanish(first);
  assert.deepEqual(published(), [next]);
  assert.equal((await introspect(provider, provider.fetch, early))["active"], true);
  const unannounced = await provider.rotate();
  assert.deepEqual(published(), [next, unannounced]);
});

test("a provider that is created again with its key knows its earlier tokens", async () => {
  const before = await createProvider({ audience });
  const port = Number(new URL(await before.listen()).port);
  const token = before.token();
  await before.close();
  await assert.rejects(fetch(before.url("jwks")));
  const after = await createProvider({ audience, key: before.privateJwk });
  await after.listen(port);
  assert.equal((await introspect(after, fetch, token))["active"], true);
  await after.close();
});

test("an issuer with a path has its metadata at the paths of the RFCs", async () => {
  const provider = await createProvider({ audience });
  provider.issuer = "http://127.0.0.1:9/tenant";
  provider.jwksCacheControl = null;
  for (const path of [
    "/tenant/.well-known/openid-configuration",
    "/.well-known/oauth-authorization-server/tenant",
  ]) {
    const answer = await provider.fetch(`http://127.0.0.1:9${path}`);
    const metadata = (await answer.json()) as Metadata;
    assert.equal(metadata.issuer, provider.issuer);
    assert.equal((await provider.fetch(metadata.jwks_uri)).headers.has("cache-control"), false);
  }
  assert.equal(jose.decodeJwt(provider.token()).iss, provider.issuer);
  assert.equal((await provider.fetch("http://127.0.0.1:9/.well-known/openid-configuration")).status, 404);
});

test("createProvider rejects unknown and malformed options and faults by name", async () => {
  const wrong: [object, RegExp][] = [
    [{ audiance: "x" }, /no option "audiance"/],
    [{ algorithm: "HS256" }, /algorithm must be one of/],
    [{ issuer: "id" }, /issuer must be a URL/],
    [{ random: 1 }, /random must be a function; got 1/],
    [{ clock: {} }, /needs clock with now\(\)/],
    [
      { algorithm: "RS256", key: (await createProvider({ audience })).privateJwk },
      /key must be a key for RS256/,
    ],
  ];
  for (const [options, message] of wrong)
    await assert.rejects(createProvider({ audience, ...options }), message);
  const provider = await createProvider({ audience });
  assert.throws(
    () => provider.fault("jwks", { status: 99 }),
    /fault: status must be a whole number from 200/,
  );
  assert.throws(() => provider.fault("jwks", { answer: "htm" as "html" }), /fault: answer must be html/);
  assert.throws(() => provider.fault("jwks", { probability: 2 }), /fault: probability must be/);
  assert.throws(() => provider.fault("keys" as "jwks", {}), /endpoint must be all, discovery/);
});
