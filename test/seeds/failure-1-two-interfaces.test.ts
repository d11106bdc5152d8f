import assert from "node:assert/strict";
import { test } from "node:test";
import * as caches from "holdfast/cache";
import { createGuard, staticKeys } from "holdfast";
import { createIssuer, type Store } from "holdfast/issuer";
import { memoryStore } from "holdfast/memory";
import { createMint, FakeClock } from "holdfast/testing";

/*
 * The outage: the client called `cacheToken`, the cache had only `setCachedToken`, and the tests used another class than
 * production. All users were locked out. These tests use only what the package exports.
 */

const secret = "a secret of more than thirty-two bytes for tests";
const url = "https://id.example";

test("failure 1: the cache has the method names that callers use, and no second spelling of them", () => {
  const names = Object.getOwnPropertyNames(caches.TokenCache.prototype);
  for (const name of ["cacheToken", "getCachedToken", "invalidateCachedToken"])
    assert.ok(names.includes(name), name);
  assert.deepEqual(
    names.filter((name) => /setCachedToken|putToken|removeToken|Sync$/.test(name)),
    [],
  );
});

test("failure 1: getCachedToken returns what cacheToken stored", async () => {
  const clock = new FakeClock();
  const cache = new caches.TokenCache<{ sub: string }>({ clock });
  await cache.cacheToken("token", { sub: "alice" });
  assert.deepEqual(await cache.getCachedToken("token"), { sub: "alice" });
  await cache.invalidateCachedToken("token");
  assert.equal(await cache.getCachedToken("token"), null);
});

test("failure 1: createIssuer rejects a store with a renamed method, and names the part and the method", () => {
  const store = memoryStore();
  const { sessions } = store;
  const renamed = {
    ...store,
    sessions: { ...sessions, rotate: undefined, refresh: async () => await Promise.reject(new Error()) },
  } as unknown as Store;
  assert.throws(() => createIssuer({ url, audience: url, store: renamed, secret }), {
    code: "missing_method",
    message: /issuer.*sessions.*rotate\(\)/,
  });
});

test("failure 1: createIssuer rejects a store that lacks any one method, and names the method", () => {
  const whole = memoryStore();
  let parts = 0;
  for (const [part, methods] of Object.entries(whole)) {
    if (typeof methods !== "object") continue;
    for (const method of Object.keys(methods as object)) {
      // The issuer reads the whole snapshot of a store without pages.
      if (method === "snapshotPage" || method === "subjectOf") continue;
      const lacking = {
        ...whole,
        [part]: { ...(methods as object), [method]: undefined },
      } as unknown as Store;
      const create = () => createIssuer({ url, audience: url, store: lacking, secret });
      assert.throws(create, { code: "missing_method", message: new RegExp(`${part}.*${method}\\(\\)`) });
      parts++;
    }
  }
  assert.ok(parts > 20);
});

test("failure 1: createGuard rejects a revocation feed or key source that lacks a method, and names the method", async () => {
  const mint = await createMint({ issuer: url, audience: url });
  const keys = staticKeys(mint.jwks());
  const feed = { snapshot: () => {}, after: () => {}, listen: () => {} } as never;
  assert.throws(() => createGuard({ issuer: url, audience: url, keys, revocations: feed }), {
    code: "missing_method",
    message: /createGuard.*revocations.*subscribe\(\)/,
  });
  assert.throws(() => createGuard({ issuer: url, audience: url, keys: { load: () => {} } as never }), {
    code: "missing_method",
    message: /createGuard.*keys.*open\(\)/,
  });
});
