import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import * as caches from "holdfast/cache";
import { createGuard, jwks } from "holdfast";
import { createIssuer } from "holdfast/issuer";
import { memoryStore } from "holdfast/memory";
import { systemClock } from "../../src/core/clock.ts";
import { plainStore } from "../support/plain-store.ts";

/*
 * The outage: one method had a synchronous and an asynchronous version. A call without `await` returned a promise, which
 * is always truthy, and an awaited call returned a plain value. All users were locked out.
 */

const root = fileURLToPath(new URL("../..", import.meta.url));
const secret = "a secret of more than thirty-two bytes for tests";
const url = "https://id.example";

test("failure 2: a store that returns plain values instead of promises works from login to logout", async () => {
  const store = plainStore(systemClock);
  assert.equal(store.users.get("alice"), null, "the store returns plain values");
  const issuer = createIssuer({ url, audience: url, store, secret });
  assert.equal(await issuer.users.add({ username: "alice", password: "correct horse" }), "added");
  assert.equal((await issuer.login({ username: "alice", password: "wrong horse" })).status, "denied");

  const keys = jwks(`${url}/.well-known/jwks.json`, {
    fetch: async (at, init) => await issuer.fetch(new Request(at, init)),
  });
  const guard = createGuard({ issuer: url, audience: url, keys, revocations: issuer.revocations });
  await guard.ready();
  const login = await issuer.login({ username: "alice", password: "correct horse" });
  assert.ok(login.status === "ok");
  const refresh = await issuer.refresh(login.tokens.refresh_token);
  assert.ok(refresh.status === "ok");
  assert.equal((await guard.validate(refresh.tokens.access_token)).status, "valid");
  await issuer.endSession(refresh.tokens.session_id, "logout");
  assert.deepEqual(await guard.validate(refresh.tokens.access_token), {
    status: "invalid",
    reason: "revoked",
  });
  assert.equal((await issuer.refresh(refresh.tokens.refresh_token)).status, "invalid_grant");
  await guard.close();
  await issuer.close();
});

test("failure 2: a feed, a fetch function and an authenticate function that return plain values work", async () => {
  const store = memoryStore();
  const issuer = createIssuer({
    url,
    audience: url,
    store,
    secret,
    authenticate: ({ name }) => (name === "alice" ? { subject: "alice", scopes: [] } : null),
  });
  const set = await (await issuer.fetch(new Request(`${url}/.well-known/jwks.json`))).text();
  const snapshot = await store.revocations.snapshot();
  const plain = {
    snapshot: () => snapshot,
    after: () => ({ status: "ok", entries: [] }),
    subscribe: () => () => {},
  } as never;
  const keys = jwks(`${url}/keys`, { fetch: () => new Response(set) });
  const guard = createGuard({ issuer: url, audience: url, keys, revocations: plain });
  await guard.ready();
  const login = await issuer.login({ name: "alice" });
  assert.ok(login.status === "ok");
  assert.equal((await guard.validate(login.tokens.access_token)).status, "valid");
  assert.equal((await issuer.login({ name: "mallory" })).status, "denied");
  await guard.close();
  await issuer.close();
  await store.close();
});

test("failure 2: every method of the public caches returns a promise", async () => {
  const calls: [object, string, unknown[]][] = [
    [new caches.TokenCache(), "cacheToken", ["t", {}]],
    [new caches.TokenCache(), "getCachedToken", ["t"]],
    [new caches.TokenCache(), "invalidateCachedToken", ["t"]],
    [new caches.TokenCache(), "getStats", []],
    [new caches.TtlCache(), "set", ["k", 1]],
    [new caches.TtlCache(), "get", ["k"]],
    [new caches.TtlCache(), "delete", ["k"]],
    [new caches.TtlCache(), "clear", []],
    [new caches.TtlCache(), "getStats", []],
    [new caches.RequestCache(() => 1), "validate", ["t"]],
  ];
  for (const [cache, method, args] of calls) {
    const result = (cache as Record<string, (...args: unknown[]) => unknown>)[method]?.(...args);
    assert.ok(result instanceof Promise, `${cache.constructor.name}.${method}`);
    await result;
  }
  const named = [caches.TokenCache, caches.TtlCache, caches.RequestCache, caches.JwksCache];
  const methods = named.flatMap((type) => Object.getOwnPropertyNames(type.prototype));
  assert.deepEqual(
    methods.filter((name) => name.endsWith("Sync")),
    [],
  );
});

test("failure 2: every method of a store returns a promise, and no method has a synchronous version", async () => {
  const store = memoryStore();
  const parts = Object.values(store).filter((part): part is object => typeof part === "object");
  const names = parts.flatMap((part) => Object.keys(part));
  assert.ok(names.length > 20);
  assert.deepEqual(
    names.filter((name) => name.endsWith("Sync")),
    [],
  );
  const reads = [
    store.users.get("nobody"),
    store.sessions.get("none"),
    store.keys.list(),
    store.revocations.snapshot(),
    store.audit.recent(1),
    store.markers.read("none"),
    store.now(),
  ];
  for (const read of reads) assert.ok(read instanceof Promise);
  await Promise.all(reads);
  await store.close();
});

test("failure 2: the linter rejects a floating promise and an await of a plain value", async () => {
  const folder = await mkdtemp(join(root, "test", "planted-"));
  try {
    const planted = `
      async function valid(token: string): Promise<boolean> { return await Promise.resolve(token !== ""); }
      export async function floating(): Promise<void> { valid("a"); await Promise.resolve(); }
      export function truthy(): string { return valid("a") ? "let in" : "kept out"; }
      export async function plain(): Promise<void> { await 7; }`;
    await writeFile(join(folder, "planted.ts"), planted);
    const run = spawnSync("node_modules/.bin/oxlint", ["--type-aware", folder], {
      cwd: root,
      encoding: "utf8",
    });
    assert.equal(run.status, 1);
    for (const rule of ["no-floating-promises", "no-misused-promises", "await-thenable"]) {
      assert.match(run.stdout, new RegExp(rule));
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
