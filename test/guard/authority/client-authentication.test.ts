import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import OidcProvider from "oidc-provider";
import { systemClock } from "../../../src/core/clock.ts";
import type { Authority } from "../../../src/guard/authority/authority.ts";
import type { ClientAuthenticationOptions } from "../../../src/guard/authority/client-authentication.ts";
import { introspection } from "../../../src/guard/authority/introspection.ts";
import { createGuard, staticKeys } from "../../../src/index.ts";
import { generateSigningKey, type SigningKey } from "../../../src/jwt/sign.ts";
import { createMint, FakeClock } from "../../../src/testing/index.ts";
import { audience } from "../fixture.ts";
import { issuer, no, setUpAuthority, url, yes } from "./fixture.ts";

/** Starts node-oidc-provider with one client that authenticates itself by a signed JWT, and a client for tokens. */
async function makeProvider(t: TestContext, { publicJwk }: SigningKey) {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const own = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const common = { grant_types: ["client_credentials"], redirect_uris: [], response_types: [] };
  const provider = new OidcProvider(own, {
    clients: [
      {
        ...common,
        client_id: "guard",
        token_endpoint_auth_method: "private_key_jwt",
        token_endpoint_auth_signing_alg: publicJwk.alg,
        jwks: { keys: [publicJwk] },
      },
      { ...common, client_id: "job", client_secret: "s".repeat(32) },
    ],
    features: {
      introspection: { enabled: true, allowedPolicy: () => true },
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
    },
    ttl: { ClientCredentials: 600 },
  });
  const handle = provider.callback();
  server.on("request", (request, response) => void handle(request, response));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const token = async () => {
    const authorization = `Basic ${Buffer.from(`job:${"s".repeat(32)}`).toString("base64")}`;
    const body = new URLSearchParams({ grant_type: "client_credentials" });
    const response = await fetch(`${own}/token`, { method: "POST", headers: { authorization }, body });
    return ((await response.json()) as { access_token: string }).access_token;
  };
  const open = (options: ClientAuthenticationOptions): Authority => {
    const source = introspection({ url: `${own}/token/introspection`, clientId: "guard", ...options });
    const authority = source.open({ guard: t.name, issuer: own, clock: systemClock, random: Math.random });
    t.after(() => authority.close());
    return authority;
  };
  return { issuer: own, token, open };
}

for (const algorithm of ["ES256", "PS256", "EdDSA"] as const) {
  test(`node-oidc-provider accepts the assertions of a guard, signed with ${algorithm}`, async (t) => {
    const key = await generateSigningKey(algorithm);
    const { issuer: own, token, open } = await makeProvider(t, key);
    const value = await token();
    for (const options of [
      { privateKey: key.privateJwk },
      { auth: "private_key_jwt", privateKey: async () => await Promise.resolve(key.privateJwk) },
      { privateKey: key.privateJwk, assertionAudience: `${own}/token` },
    ] as const) {
      const authority = open(options);
      // The provider refuses an assertion that it has seen before.
      for (const _ of [1, 2]) assert.equal((await authority.ask(value)).status, "yes");
    }
    const stranger = open({ privateKey: (await generateSigningKey(algorithm)).privateJwk });
    const refused = await stranger.ask(value);
    assert.ok(refused.status === "unavailable");
    assert.equal(refused.cause, "authority_misconfigured");
  });
}

test("an assertion names the client, the audience and one minute, and no two are equal", async (t) => {
  const { privateJwk } = await generateSigningKey("ES256");
  const { kid: _, ...withoutKid } = privateJwk;
  for (const [privateKey, header] of [
    [privateJwk, { alg: "ES256", typ: "JWT", kid: privateJwk.kid }],
    [withoutKid, { alg: "ES256", typ: "JWT" }],
  ] as const) {
    const bodies: URLSearchParams[] = [];
    const clock = new FakeClock();
    const authority = introspection({
      url,
      clientId: "guard",
      privateKey,
      fetch: (_url, init) => {
        bodies.push(new URLSearchParams(init.body as string));
        return yes();
      },
    }).open({ guard: t.name, issuer, clock, random: () => 0.5 });
    await authority.ask("one");
    await authority.ask("two");
    const [first, second] = bodies.map((body) => body.get("client_assertion") ?? "");
    assert.notEqual(first, second);
    const [head, claims] = (first ?? "").split(".").map((part) => Buffer.from(part, "base64url").toString());
    assert.deepEqual(JSON.parse(head ?? ""), header);
    const { jti, ...others } = JSON.parse(claims ?? "") as Record<string, unknown>;
    const iat = Math.floor(clock.now() / 1_000);
    assert.deepEqual(others, { iss: "guard", sub: "guard", aud: issuer, iat, exp: iat + 60 });
    assert.equal(typeof jti, "string");
    assert.equal(bodies[0]?.get("client_id"), "guard");
    assert.equal(bodies[0]?.get("client_secret"), null);
    authority.close();
  }
});

test("a secret that is a function is read for each request, and changes without a restart", async (t) => {
  let secret = "first";
  const sent: (string | undefined)[] = [];
  const { authority } = setUpAuthority(t, {
    clientSecret: async () => await Promise.resolve(secret),
    fetch: (_url, init) => {
      sent.push((init.headers as Record<string, string>)["authorization"]);
      return no();
    },
  });
  const basic = (text: string) => `Basic ${Buffer.from(`guard:${text}`).toString("base64")}`;
  await authority.ask("one");
  secret = "second";
  await authority.ask("two");
  assert.deepEqual(sent, [basic("first"), basic("second")]);
});

test("a function that fails or returns no secret makes the token unavailable, and no secret is shown", async (t) => {
  const values: unknown[] = [
    () => {
      throw new Error("the vault said hush");
    },
    () => "",
    () => 7,
    async () => await Promise.reject(new Error("hush")),
  ];
  for (const clientSecret of values) {
    const { authority } = setUpAuthority(t, { clientSecret: clientSecret as () => string });
    const outcome = await authority.ask("token");
    assert.ok(outcome.status === "unavailable");
    assert.match(authority.status().lastError ?? "", /^clientSecret: (Error|clientSecret\(\) must be)/);
    assert.doesNotMatch(authority.status().lastError ?? "", /hush/);
  }
});

test("a secret function or a fetch that never answers keeps no place among the requests", async (t) => {
  let isSilent = true;
  const answer = async <T>(value: T) => await (isSilent ? new Promise<T>(() => {}) : Promise.resolve(value));
  const limits = { maxConcurrent: 1, timeoutMs: 1_000 };
  for (const options of [
    { clientSecret: async () => await answer("secret") },
    { fetch: async () => await answer(yes()) },
  ]) {
    const setup = setUpAuthority(t, { ...limits, ...options });
    isSilent = true;
    for (const token of ["one", "two"]) {
      assert.equal((await setup.askAndAdvance(1_000, token)).status, "unavailable");
    }
    isSilent = false;
    assert.equal((await setup.askAndAdvance(60_000, "three")).status, "yes");
    setup.authority.close();
  }
});

test("wrong client keys are refused at creation, and no part of a key is shown", async () => {
  const { privateJwk, publicJwk } = await generateSigningKey("ES256");
  const { alg: _, ...withoutAlg } = privateJwk;
  const make = (options: object) => introspection({ url, clientId: "guard", ...options });
  const wrong: [options: object, message: RegExp][] = [
    [{ auth: "private_key_jwt" }, /introspection: privateKey must be a private JWK, or a function/],
    [{ privateKey: "-----BEGIN PRIVATE KEY-----" }, /introspection: privateKey must be a private JWK/],
    [{ privateKey: publicJwk }, /introspection: privateKey must be a private JWK with alg/],
    [{ privateKey: withoutAlg }, /introspection: privateKey must be a private JWK with alg/],
    [
      { privateKey: { ...privateJwk, x: "AAAA" } },
      /introspection: privateKey must be a private JWK with alg/,
    ],
    [{ privateKey: privateJwk, clientId: undefined }, /introspection: clientId must be/],
    [
      { privateKey: privateJwk, clientSecret: "s" },
      /clientSecret must be absent with auth "private_key_jwt"/,
    ],
    [{ auth: "basic", clientSecret: "s", privateKey: privateJwk }, /privateKey must be absent with auth/],
    [{ privateKey: privateJwk, assertionAudience: "" }, /assertionAudience must be a non-empty string/],
  ];
  for (const [options, message] of wrong) {
    assert.throws(
      () => make(options),
      (error: Error) => {
        assert.match(error.message, message);
        assert.ok(!error.message.includes(privateJwk["d"] as string));
        return true;
      },
    );
  }
});

test("allowMissingAud accepts an answer about an opaque token without aud, and no other audience", async () => {
  const clock = new FakeClock();
  const mint = await createMint({ issuer, audience, clock });
  const exp = Math.floor(clock.now() / 1_000) + 600;
  const answers: Record<string, object> = {
    "opaque-without-aud": { active: true, sub: "alice", exp },
    "opaque-other-aud-": { active: true, sub: "alice", exp, aud: "https://other.example" },
    "opaque-without-sub": { active: true, exp },
  };
  const fetch = (_url: string, init: RequestInit) =>
    Response.json(answers[new URLSearchParams(init.body as string).get("token") ?? ""] ?? { active: true });
  const outcomes = async (allowMissingAud: boolean) => {
    const authority = introspection({
      url,
      clientId: "guard",
      clientSecret: "s",
      opaque: true,
      allowMissingAud,
      fetch,
    });
    const keys = staticKeys(mint.jwks());
    const guard = createGuard({ issuer, audience, keys, authority, clock, random: () => 0.5 });
    const verdicts: string[] = [];
    for (const token of [...Object.keys(answers), mint.token({ aud: undefined })]) {
      const verdict = await guard.validate(token);
      verdicts.push(verdict.status === "invalid" ? verdict.reason : verdict.status);
    }
    await guard.close();
    return verdicts;
  };
  const refused = ["wrong_audience", "missing_claim", "missing_claim"];
  assert.deepEqual(await outcomes(false), ["missing_claim", ...refused]);
  assert.deepEqual(await outcomes(true), ["valid", ...refused]);
});
