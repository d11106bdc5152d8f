import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { registerHooks } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { isHoldfastError } from "../../src/core/errors.ts";
import { logIn, present } from "../../src/stores/conformance/fixtures.ts";
import { redisStore, type RedisStoreOptions } from "../../src/stores/redis.ts";
import { makeCertificate } from "../guard/keys/certificate.ts";
import { freePort } from "../support/free-port.ts";
import { noRedis, RedisServer } from "../support/redis-servers.ts";

const options = { skip: noRedis };
const DAY_MS = 86_400_000;

async function assertWorks(target: RedisStoreOptions): Promise<void> {
  const store = await redisStore(target);
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

/** Starts a server with TLS at `url`. Its certificate is not trusted yet. */
async function withTls(t: TestContext): Promise<{ url: string; cert: string }> {
  const folder = await mkdtemp(join(tmpdir(), "holdfast-redis-tls-"));
  t.after(async () => await rm(folder, { recursive: true, force: true }));
  const { cert, key } = makeCertificate({ from: Date.now() - DAY_MS, to: Date.now() + DAY_MS });
  const [certFile, keyFile] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  await writeFile(certFile, cert);
  await writeFile(keyFile, key);
  const port = await freePort();
  const server = await RedisServer.start([
    `tls-port ${port}`,
    `tls-cert-file ${certFile}`,
    `tls-key-file ${keyFile}`,
    `tls-ca-cert-file ${certFile}`,
    "tls-auth-clients no",
    "requirepass secret",
  ]);
  t.after(async () => await server.stop());
  return { url: `rediss://:secret@127.0.0.1:${port}`, cert };
}

test("rediss: uses TLS, and an untrusted certificate is rejected", options, async (t) => {
  const { url, cert } = await withTls(t);
  await assertRefused({ url }, /certificate/);
  await assertRefused({ url: url.replace("rediss:", "redis:") }, /127\.0\.0\.1/);
  setDefaultCACertificates([...getCACertificates(), cert]);
  await assertWorks({ url });
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
