import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { HoldfastError, isHoldfastError } from "../../../src/core/errors.ts";
import type { AuthorityOptions } from "../../../src/guard/authority/settings.ts";
import type { SingleIssuerOptions } from "../../../src/guard/types.ts";
import { createGuard, introspection, staticKeys, tokenValidation } from "../../../src/index.ts";
import type { SharedAnswersSource } from "../../../src/stores/shared-answers.ts";
import { createProvider } from "../../../src/testing/index.ts";
import { noRedis, RedisServer } from "../../support/redis-servers.ts";
import { audience, makeFixture } from "../degraded/fixture.ts";
import { SharedMap } from "./shared-map.ts";
import { sharedStatus, createSharedSetup, describeVerdict } from "./fixture.ts";

void describe("guards share answers only under the same policy", { skip: noRedis }, () => {
  let server: RedisServer;
  before(async () => (server = await RedisServer.start()));
  after(async () => await server.stop());

  const others: Record<string, [Partial<SingleIssuerOptions>, Partial<AuthorityOptions>?]> = {
    "another audience": [{ audience: "https://other.example" }],
    "one more audience": [{ audience: [audience, "https://other.example"] }],
    "any audience": [{ audience: null }],
    "other types": [{ types: ["at+jwt"] }],
    "a required type": [{ requireTyp: true }],
    "another required claim": [{ requiredClaims: ["sub", "iat"] }],
    "tokens without end": [{ allowMissingExp: true }],
    "fewer algorithms": [{ algorithms: ["ES256"] }],
    "another client": [{}, { clientId: "another" }],
    "another tenant's header": [{}, { headers: { "x-tenant": "b" } }],
    "another URL": [{}, { url: "https://elsewhere.example.com/introspect" }],
    "other credentials": [{}, { clientId: "guard", auth: "post" }],
  };
  for (const [what, [options, authority]] of Object.entries(others)) {
    void test(`fault 14: guards with ${what} share no answers, and no event is emitted`, async (t) => {
      const { instance, provider, written, respondWith, events } = await createSharedSetup(t, server);
      const claims = { aud: [audience, "https://other.example"], sub: "alice" };
      const token = provider.opaqueToken(claims);
      respondWith({ active: true, ...claims, iat: 1, exp: 4_000_000_000 });
      const [one, other] = [await instance(), await instance(options, {}, authority)];
      await describeVerdict(one, token);
      await written();
      await describeVerdict(other, token);
      const { hits, misses, rejected } = sharedStatus(other);
      assert.deepEqual([hits, misses, rejected], [0, 1, 0]);
      assert.deepEqual(
        events().filter((event) => event.startsWith("shared")),
        [],
      );
    });
  }

  void test("fault 14: list order, the guard's name and its times do not change the policy", async (t) => {
    const { instance, provider, written } = await createSharedSetup(t, server);
    const two = ["https://other.example", audience];
    const one = await instance({ audience: two, types: ["jwt", "at+jwt"] });
    const other = await instance({
      audience: two.toReversed(),
      types: ["AT+JWT", "application/jwt"],
      memory: { ttlMs: 60_000 },
      degraded: "local",
    });
    const token = provider.opaqueToken();
    assert.equal(await describeVerdict(one, token), "valid from verification");
    await written();
    assert.equal(await describeVerdict(other, token), "valid from shared");
  });

  void test("fault 15: guards of two versions share one Redis and only read entries of their own version", async (t) => {
    const { instance, source, provider, written, asked, events } = await createSharedSetup(t, server);
    // A version with another entry format derives other keys.
    const newer = (): SharedAnswersSource => {
      const today = source();
      const deriveKey = (purpose: string) => today.deriveKey(purpose.replace(/^1 /, "2 "));
      return { ...today, deriveKey };
    };
    const old = [await instance(), await instance()] as const;
    const fresh = [await instance({ shared: newer() }), await instance({ shared: newer() })] as const;
    const token = provider.token();
    for (const [one, other] of [old, fresh]) {
      assert.equal(await describeVerdict(one, token), "valid from verification");
      await written();
      assert.equal(await describeVerdict(other, token), "valid from shared");
    }
    assert.equal(asked.length, 2);
    // The test opens more than two guards of one name.
    assert.deepEqual(
      events().filter((event) => event !== "guards_repeated"),
      [],
    );
  });
});

test("an instance with a shorter memory.ttlMs applies it to shared answers", async (t) => {
  const { guard, provider, clock } = await makeFixture(t);
  const shared = new SharedMap();
  const [one, other] = [guard({ shared }), guard({ shared, memory: { ttlMs: 60_000 } })];
  const token = provider.token();
  assert.equal(await describeVerdict(one, token), "valid from verification");
  await clock.advance(50_000);
  assert.equal(await describeVerdict(other, token), "valid from shared");
  await clock.advance(9_000);
  assert.equal(await describeVerdict(other, token), "valid from memory");
  await clock.advance(1_010);
  assert.equal(await describeVerdict(other, token), "valid from verification");
});

test("law 2: a positive answer counts from the start of the question, not from the answer", async (t) => {
  const { guard, provider, clock, asked } = await makeFixture(t);
  const shared = new SharedMap();
  const [one, other] = [guard({ shared }), guard({ shared })];
  const token = provider.token();
  provider.fault("introspection", { latencyMs: 1_500 });
  const pending = describeVerdict(one, token);
  await clock.advance(1_600);
  assert.equal(await pending, "valid from verification");
  provider.restore();
  await clock.advance(298_450);
  assert.equal(await describeVerdict(other, token), "valid from verification");
  assert.equal(asked.length, 2);
});

test("a guard of two issuers shares answers only for the issuer with an authority", async (t) => {
  const { guard, provider } = await makeFixture(t);
  const shared = new SharedMap();
  const plain = await createProvider({ issuer: "https://plain.example", audience });
  const g = createGuard({
    shared,
    issuers: [
      { issuer: plain.issuer, audience, keys: staticKeys(plain.jwks()) },
      {
        issuer: provider.issuer,
        audience,
        keys: staticKeys(provider.jwks()),
        authority: introspection({
          url: provider.url("introspection"),
          clientId: provider.clientId,
          clientSecret: provider.clientSecret,
          fetch: provider.fetch,
        }),
      },
    ],
  });
  t.after(async () => await g.close());
  assert.equal(await describeVerdict(g, plain.token()), "valid from verification");
  assert.deepEqual(shared.reads, []);
  assert.equal(guard().status().shared, null);
});

test("createGuard rejects shared without an authority, or with one that has no identity", async (t) => {
  const { provider } = await makeFixture(t);
  const base = { issuer: provider.issuer, audience, keys: staticKeys(provider.jwks()) };
  const url = "https://id.example.com/ask";
  const options = { url, clientId: "guard", clientSecret: "secret-of-the-guard" };
  const { identity: _, ...withoutIdentity } = introspection(options);
  const refused: [object, RegExp][] = [
    [{}, /shared needs an authority/],
    [{ authority: withoutIdentity }, /shared needs an authority/],
    [{ authority: introspection(options), shared: {} }, /needs shared with deriveKey\(\), open\(\)/],
    [
      {
        authority: introspection(options),
        shared: new (class extends SharedMap {
          override readonly timeoutMs: number = 0;
        })(),
      },
      /shared\.timeoutMs must be/,
    ],
    [
      {
        authority: introspection(options),
        shared: new (class extends SharedMap {
          override deriveKey = () => new Uint8Array(5);
        })(),
      },
      /shared: what deriveKey\(\) returns must be 32 bytes/,
    ],
  ];
  for (const [more, message] of refused) {
    assert.throws(
      () => createGuard({ ...base, shared: new SharedMap(), ...more }),
      (error) => error instanceof HoldfastError && message.test(error.message),
    );
  }
  assert.throws(
    () =>
      createGuard({
        ...base,
        authority: tokenValidation(options),
        shared: {
          description: "",
          timeoutMs: 1,
          deriveKey: () => new Uint8Array(32),
          open: () => ({}),
        } as never,
      }),
    (error) => isHoldfastError(error, "missing_method"),
  );
  assert.notEqual(introspection(options).identity, tokenValidation(options).identity);
  const bearer = (bearerToken: string) => introspection({ url, bearerToken }).identity;
  assert.notEqual(bearer("one"), bearer("another"));
  assert.doesNotMatch(introspection(options).identity ?? "", /secret-of-the-guard|id\.example/);
});
