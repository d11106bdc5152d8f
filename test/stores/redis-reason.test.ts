import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { isHoldfastError } from "../../src/core/errors.ts";
import { redisStore } from "../../src/stores/redis.ts";
import type { Store } from "../../src/stores/store.ts";
import { UnresponsiveProxy } from "../support/unresponsive-proxy.ts";
import { noRedis, RedisServer, waitUntil } from "../support/redis-servers.ts";

const options = { skip: noRedis };

async function start(t: TestContext, settings: readonly string[] = []): Promise<RedisServer> {
  const server = await RedisServer.start(settings);
  t.after(async () => await server.stop());
  return server;
}

/** Waits until the store fails with a message that matches `why` and holds no password. */
async function assertTold(store: Store, why: RegExp): Promise<void> {
  let message = "";
  const isTold = async () => {
    try {
      await store.now();
      return false;
    } catch (error) {
      assert.ok(isHoldfastError(error, "store_unavailable"), String(error));
      ({ message } = error);
    }
    assert.doesNotMatch(message, /hunter22/);
    return why.test(message);
  };
  await waitUntil(isTold, `a message that matches ${why}`).catch((error: Error) => {
    throw new Error(`${error.message}; the last message was ${message}`, { cause: error });
  });
}

test("fault 67: the message names a password that was changed on the server", options, async (t) => {
  const server = await start(t);
  await server.cli("ACL", "SETUSER", "app", "on", ">hunter22", "~*", "+@all");
  const store = await redisStore({ url: `redis://app:hunter22@127.0.0.1:${server.port}` });
  t.after(async () => await store.close());
  await server.cli("ACL", "SETUSER", "app", "resetpass", ">other");
  await server.cli("CLIENT", "KILL", "TYPE", "normal", "USER", "app");
  await assertTold(store, /not connected: WRONGPASS/);
  await server.cli("ACL", "SETUSER", "app", ">hunter22");
  await waitUntil(
    async () =>
      await store.now().then(
        () => true,
        () => false,
      ),
    "the old password",
  );
});

test("fault 67: the message names a refused connection and a missing password", options, async (t) => {
  const server = await start(t);
  const proxy = await UnresponsiveProxy.start(server.port);
  t.after(async () => proxy.close());
  const store = await redisStore({ url: proxy.url });
  t.after(async () => await store.close());
  await server.cli("CONFIG", "SET", "requirepass", "hunter22");
  proxy.cut();
  await assertTold(store, /NOAUTH/);
  proxy.close();
  await assertTold(store, /not connected: .*ECONNREFUSED/);
});

test("fault 67: the message names a host that does not resolve", async () => {
  const opening = redisStore({ url: "redis://:hunter22@redis.invalid", openTimeoutMs: 1000 });
  await assert.rejects(opening, (error) => {
    assert.ok(isHoldfastError(error, "store_unavailable"));
    assert.match(error.message, /redis\.invalid: .*(ENOTFOUND|EAI_AGAIN)/);
    assert.doesNotMatch(error.message, /hunter22/);
    return true;
  });
});

test("an error of a script names the store once, and has no digest", options, async (t) => {
  const server = await start(t);
  const store = await redisStore({ url: `redis://127.0.0.1:${server.port}` });
  t.after(async () => await store.close());
  await server.cli("REPLICAOF", "127.0.0.1", "1");
  await assert.rejects(store.markers.claim("probe", "value"), ({ message }: Error) => {
    assert.match(message, /^redis 127\.0\.0\.1:\d+: READONLY /);
    assert.ok(!message.includes("script:") && !/[0-9a-f]{40}/.test(message), message);
    assert.equal(message.split("redis 127").length, 2, message);
    return true;
  });
});

test("an error after a failed connection names the store once", options, async (t) => {
  const server = await start(t);
  const store = await redisStore({ url: `redis://127.0.0.1:${server.port}` });
  t.after(async () => await store.close());
  await server.stop();
  await assertTold(store, /^redis 127\.0\.0\.1:\d+: not connected: (?!redis ).*ECONNREFUSED/);
});
