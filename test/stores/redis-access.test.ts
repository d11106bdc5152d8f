import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { registerHooks } from "node:module";
import { test } from "node:test";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { isHoldfastError } from "../../src/core/errors.ts";
import { logIn, present } from "../../src/stores/conformance/fixtures.ts";
import { redisStore, type RedisStoreOptions } from "../../src/stores/redis.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";
import { makeCertificate } from "../guard/keys/certificate.ts";
import { freePort } from "../support/free-port.ts";
import { UnresponsiveProxy } from "../support/unresponsive-proxy.ts";
import { noRedis, RedisServer, waitUntil } from "../support/redis-servers.ts";
import { startTlsRedis } from "../support/redis-tls.ts";

const options = { skip: noRedis };

async function assertWorks(target: RedisStoreOptions): Promise<void> {
  const store = await redisStore({ prefix: `${randomBytes(6).toString("hex")}:`, ...target });
  try {
    await logIn(store, "s1");
    assert.equal((await present(store, "s1", 1)).outcome, "rotated");
  } finally {
    await store.close();
  }
}

/** Asserts that opening rejects with a message that names the problem and contains no password. */
async function assertRefused(target: RedisStoreOptions, why: RegExp): Promise<void> {
  await assert.rejects(redisStore({ ...target, openTimeoutMs: 2000 }), (error) => {
    assert.ok(isHoldfastError(error, "store_unavailable"));
    assert.match(error.message, why);
    assert.doesNotMatch(error.message, /hunter22/);
    return true;
  });
}

test("rediss: uses TLS, and an untrusted certificate is rejected", options, async (t) => {
  const { url, cert } = await startTlsRedis(t);
  await assertRefused({ url }, /certificate/);
  await assertRefused({ url: url.replace("rediss:", "redis:") }, /127\.0\.0\.1/);
  setDefaultCACertificates([...getCACertificates(), cert]);
  await assertWorks({ url });
});

test(
  "a pinned certificate and a client certificate are used, and another one is rejected",
  options,
  async (t) => {
    const { url, cert, key } = await startTlsRedis(t);
    await assertWorks({ url, tls: { ca: cert, cert, key } });
    await assertWorks({
      url: url.replace("127.0.0.1", "localhost"),
      tls: { ca: [cert], servername: "127.0.0.1" },
    });
    const other = makeCertificate({ from: Date.now() - 1000, to: Date.now() + 60_000 });
    await assertRefused({ url, tls: { ca: other.cert } }, /certificate/);
  },
);

test("redisStore rejects options of the connection that cannot work", async () => {
  const { cert, key } = makeCertificate({ from: Date.now() - 1000, to: Date.now() + 60_000 });
  const url = "rediss://127.0.0.1";
  const wrong = [
    { url: "redis://127.0.0.1", tls: { ca: cert } },
    { url, tls: { ca: "hunter22" } },
    { url, tls: { ca: "-----BEGIN CERTIFICATE-----\nhunter22\n-----END CERTIFICATE-----" } },
    { url, tls: { cert } },
    { url, tls: { cert, key: cert } },
    { url, tls: { cert, key, colour: "red" } },
    { url, credentials: { password: "hunter22" } },
    { url: "rediss://:hunter22@127.0.0.1", credentials: () => ({ password: "hunter22" }) },
    { url, nodeAddressMap: { "10.0.0.1": { host: "a", port: 1 } } },
    { url, nodeAddressMap: { "10.0.0.1:1": "hunter22" } },
  ];
  for (const target of wrong) {
    await assert.rejects(redisStore(target as RedisStoreOptions), (error) => {
      assert.ok(isHoldfastError(error, "invalid_option"), `${JSON.stringify(target)}: ${String(error)}`);
      assert.doesNotMatch(error.message, /hunter22/);
      return true;
    });
  }
});

test("a password that changed is used at the next connection", options, async (t) => {
  const server = await RedisServer.start();
  t.after(async () => await server.stop());
  let password = "first-password";
  await server.cli("ACL", "SETUSER", "app", "on", `>${password}`, "~*", "+@all");
  const store = await redisStore({ url: server.url, credentials: () => ({ username: "app", password }) });
  t.after(async () => await store.close());
  password = "second-password";
  await server.cli("ACL", "SETUSER", "app", "resetpass", `>${password}`);
  await server.cli("CLIENT", "KILL", "USER", "app");
  const isBack = async () =>
    await store.now().then(
      () => true,
      () => false,
    );
  await waitUntil(isBack, "the new password");
  assert.match((await server.cli("CLIENT", "LIST", "TYPE", "normal")) ?? "", /user=app/);
});

test("credentials that expire are renewed on the open connection", options, async (t) => {
  const server = await RedisServer.start();
  const proxy = await UnresponsiveProxy.start(server.port);
  t.after(async () => {
    proxy.close();
    await server.stop();
  });
  const clock = new FakeClock();
  let calls = 0;
  const credentials = () => {
    calls++;
    return { username: "app", password: `password-${calls}`, expiresAt: clock.now() + 900_000 };
  };
  await server.cli("ACL", "SETUSER", "app", "on", ">password-1", ">password-2", "~*", "+@all");
  const store = await redisStore({ url: proxy.url, clock, credentials });
  t.after(async () => await store.close());
  await clock.advance(719_000);
  assert.equal(calls, 1);
  await clock.advance(1000);
  await waitUntil(async () => proxy.countSenders("password-2") === 1, "the renewal");
  assert.equal(proxy.countSenders("password-1"), 1, "the connection is the same");
  await store.now();
});

test("the error of a function that returns credentials is told without its message", options, async () => {
  const credentials = () => {
    throw new RangeError("hunter22");
  };
  await assertRefused({ url: "redis://127.0.0.1:1", credentials }, /./);
  const server = await RedisServer.start();
  try {
    await assertRefused({ url: server.url, credentials }, /the function credentials failed \(RangeError\)/);
  } finally {
    await server.stop();
  }
});

test("Sentinels use TLS like their primary", options, async (t) => {
  const tls = await startTlsRedis(t);
  const certificate = ["tls-cert-file", "tls-key-file", "tls-ca-cert-file"].map(
    (name) => `${name} ${tls.files[name]}`,
  );
  const port = await freePort();
  const settings = [`tls-port ${port}`, ...certificate, "tls-auth-clients no", "tls-replication yes"];
  const monitor = [`sentinel monitor main 127.0.0.1 ${tls.port} 1`, "sentinel auth-pass main secret"];
  const sentinel = await RedisServer.start([...settings, ...monitor], "sentinel");
  t.after(async () => await sentinel.stop());
  const nodes = [`rediss://127.0.0.1:${port}`];
  await assertWorks({
    sentinel: { url: "rediss://:secret@main", nodes },
    replicas: 0,
    tls: { ca: tls.cert },
  });
});

test("Sentinels and their primary have separate passwords", options, async (t) => {
  const primary = await RedisServer.start(["requirepass secret"]);
  t.after(async () => await primary.stop());
  const monitor = `sentinel monitor main 127.0.0.1 ${primary.port} 1`;
  const sentinel = await RedisServer.start(
    [monitor, "sentinel auth-pass main secret", "requirepass watch"],
    "sentinel",
  );
  t.after(async () => await sentinel.stop());
  const at = (password: string, watch: string) => ({
    sentinel: { url: `redis://:${password}@main`, nodes: [sentinel.url.replace("//", `//:${watch}@`)] },
    replicas: 0,
  });
  await assertWorks(at("secret", "watch"));
  await assertRefused(at("hunter22", "watch"), /WRONGPASS/);
  await assertRefused(at("secret", "hunter22"), /sentinel main at 127\.0\.0\.1/);
});

// This test comes last, because the package cannot be found from here on.
test("a missing package is reported with the command that installs it", async () => {
  registerHooks({
    resolve(specifier, context, next) {
      if (specifier === "redis") throw new Error("Cannot find package 'redis'");
      return next(specifier, context);
    },
  });
  const url = "redis://127.0.0.1:1";
  await assertRefused(
    { url },
    /needs the package redis, version 6, which is not installed: npm install redis@6/,
  );
});
