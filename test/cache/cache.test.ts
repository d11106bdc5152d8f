import assert from "node:assert/strict";
import { test } from "node:test";
import {
  cachedJwtValidation,
  cacheHealthCheck,
  JwksCache,
  RequestCache,
  TokenCache,
  TtlCache,
} from "../../src/cache/index.ts";
import { FakeClock } from "../../src/testing/index.ts";
import { FakeKeyEndpoint } from "../guard/keys/provider.ts";
import { makeFixture } from "../guard/fixture.ts";

interface Result {
  sub: string;
  exp?: unknown;
}

test("the result of a token is frozen, expires after five minutes and is removed by an invalidation", async () => {
  const clock = new FakeClock();
  const cache = new TokenCache<Result>({ clock });
  assert.equal(await cache.getCachedToken("t"), null);
  await cache.cacheToken("t", { sub: "u" });
  const kept = await cache.getCachedToken("t");
  assert.deepEqual(kept, { sub: "u" });
  assert.ok(Object.isFrozen(kept));
  await clock.advance(299_999);
  assert.notEqual(await cache.getCachedToken("t"), null);
  await clock.advance(1);
  assert.equal(await cache.getCachedToken("t"), null);
  await cache.cacheToken("t", { sub: "u" });
  await cache.invalidateCachedToken("t");
  assert.equal(await cache.getCachedToken("t"), null);
});

test("law 2: a result is never returned after its exp, whatever TTL was given", async () => {
  const clock = new FakeClock();
  const cache = new TokenCache<Result>({ clock });
  await cache.cacheToken("t", { sub: "u", exp: clock.now() / 1000 + 10 }, 3_600_000);
  await clock.advance(9_999);
  assert.notEqual(await cache.getCachedToken("t"), null);
  clock.suspend(1);
  assert.equal(await cache.getCachedToken("t"), null);
  for (const exp of [clock.now() / 1000, "never", {}]) {
    await cache.cacheToken("t", { sub: "u", exp });
    assert.equal(await cache.getCachedToken("t"), null);
  }
});

test("cacheToken ignores null, rejects a result that is not an object, and takes a TTL of 0 as expired", async () => {
  const cache = new TokenCache<Result>();
  await cache.cacheToken("t", { sub: "u" });
  await cache.cacheToken("t", null);
  assert.notEqual(await cache.getCachedToken("t"), null);
  for (const wrong of [true, "yes", undefined, 1]) {
    await assert.rejects(cache.cacheToken("t", wrong as unknown as Result), { code: "invalid_option" });
  }
  await assert.rejects(cache.cacheToken("t", { sub: "u" }, Number.NaN), { code: "invalid_option" });
  await cache.cacheToken("t", { sub: "u" }, 0);
  assert.equal(await cache.getCachedToken("t"), null);
});

test("law 7: concurrent calls for one token share one validation, and null and errors are not kept", async () => {
  let calls = 0;
  let answer: () => Promise<Result | null> = async () => await Promise.resolve({ sub: "u" });
  const validate = cachedJwtValidation<Result>(async () => {
    calls++;
    return await answer();
  });
  const results = await Promise.all(Array.from({ length: 100 }, async () => await validate("t")));
  assert.equal(calls, 1);
  assert.ok(results.every((result) => result?.sub === "u"));
  answer = async () => await Promise.resolve(null);
  assert.equal(await validate("other"), null);
  assert.equal(await validate("other"), null);
  assert.equal(calls, 3);
  answer = async () => await Promise.reject(new Error("down"));
  await assert.rejects(validate("third"), /down/);
  answer = async () => await Promise.resolve({ sub: "v" });
  assert.deepEqual(await validate("third"), { sub: "v" });
});

test("accepts a synchronous validator and a result without a JSON form", async () => {
  const circular: { sub: string; self?: unknown } = { sub: "u" };
  circular.self = circular;
  const validate = cachedJwtValidation(() => circular);
  assert.equal(await validate("t"), circular);
  assert.equal(await validate("t"), circular);
});

test("law 3: a validation that an invalidation overtakes is neither kept nor shared", async () => {
  const cache = new TokenCache<Result>();
  const answers: ((result: Result) => void)[] = [];
  const validate = cachedJwtValidation<Result>(
    async () => await new Promise<Result>((resolve) => answers.push(resolve)),
    cache,
  );
  const before = validate("t");
  await new Promise((resolve) => setImmediate(resolve));
  await cache.invalidateCachedToken("t");
  const after = validate("t");
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(answers.length, 2);
  answers[0]?.({ sub: "old" });
  assert.deepEqual(await before, { sub: "old" });
  assert.equal(await cache.getCachedToken("t"), null);
  answers[1]?.({ sub: "new" });
  assert.deepEqual(await after, { sub: "new" });
  assert.deepEqual(await cache.getCachedToken("t"), { sub: "new" });
});

test("RequestCache decides once on a token that a request uses twice, and does not keep a failure", async () => {
  const { guard, mint } = await makeFixture();
  const g = guard();
  let calls = 0;
  const request = new RequestCache(async (token: string) => {
    calls++;
    if (calls === 1) throw new Error("once");
    return await g.authorize(token, { scopes: ["a"] });
  });
  const token = mint.token({ scope: "a" });
  await assert.rejects(request.validate(token), /once/);
  const [one, two] = await Promise.all([request.validate(token), request.validate(token)]);
  assert.equal(one, two);
  assert.equal(one.status, "valid");
  assert.equal(calls, 2);
});

test("JwksCache fetches a key set once, keeps it during an outage, and rejects with the cause while it has none", async () => {
  const { mint, clock } = await makeFixture();
  const provider = new FakeKeyEndpoint(mint.jwks());
  const cache = new JwksCache("https://id.example/jwks", { fetch: provider.fetch, clock, freshMs: 60_000 });
  const [one, two] = await Promise.all([cache.getJwks(), cache.getJwks()]);
  assert.deepEqual(one, mint.jwks());
  assert.equal(one, two);
  assert.equal(provider.attempts, 1);
  provider.serve({ keys: [] });
  await clock.advance(70_000);
  assert.deepEqual(await cache.getJwks(), mint.jwks());
  await clock.advance(0);
  assert.equal(provider.attempts, 2);
  assert.deepEqual(await cache.getJwks(), mint.jwks());
  provider.fail(502);
  const empty = new JwksCache("https://id.example/jwks", { fetch: provider.fetch, clock });
  await assert.rejects(empty.getJwks(), { code: "not_ready", message: /502/ });
});

test("TtlCache counts hits, misses, entries and bytes", async () => {
  const cache = new TtlCache<number>();
  assert.deepEqual(await cache.getStats(), { hits: 0, misses: 0, hitRate: 0, size: 0, bytes: 0 });
  await cache.set("a", 1);
  assert.equal(await cache.get("a"), 1);
  assert.equal(await cache.get("b"), null);
  const { hits, misses, hitRate, size, bytes } = await cache.getStats();
  assert.deepEqual([hits, misses, hitRate, size], [1, 1, 0.5, 1]);
  assert.ok(bytes > 0);
  assert.equal(await cache.delete("a"), true);
  assert.equal(await cache.delete("a"), false);
  await cache.set("c", 1);
  await cache.clear();
  assert.equal((await cache.getStats()).bytes, 0);
  assert.throws(() => new TtlCache({ ttl: 1 } as object), { code: "invalid_option", message: /"ttl"/ });
});

test("cacheHealthCheck reports the guard's own status", async () => {
  const { guard, log } = await makeFixture();
  const g = guard({ revocations: log });
  await g.ready();
  const health = await cacheHealthCheck(g);
  assert.equal(health.status, "ok");
  assert.equal(health.components.issuers[0]?.keys.usable, true);
  assert.equal(health.components.issuers[0]?.revocations?.complete, true);
  await g.close();
  assert.equal((await cacheHealthCheck(g)).status, "unavailable");
});
