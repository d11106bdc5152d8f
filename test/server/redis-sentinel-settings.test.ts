import assert from "node:assert/strict";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { isHoldfastError } from "../../src/core/errors.ts";
import { readSettings } from "../../src/server/settings.ts";
import { readRedisOptions } from "../../src/server/store/redis-access.ts";
import { redisStore } from "../../src/stores/redis.ts";
import { makeCertificate } from "../guard/keys/certificate.ts";
import { freePort } from "../support/free-port.ts";
import { UnresponsiveProxy } from "../support/unresponsive-proxy.ts";
import { noRedis, RedisServer, waitUntil } from "../support/redis-servers.ts";

const options = { skip: noRedis };
const inRedis = {
  HOLDFAST_STORE: "redis",
  HOLDFAST_SECRET: "a".repeat(32),
  HOLDFAST_REDIS_REPLICAS: "0",
};
const DAY_MS = 86_400_000;

async function open(settings: Record<string, string>): ReturnType<typeof redisStore> {
  const { redis } = readSettings({ ...inRedis, ...settings });
  assert.ok(redis !== undefined);
  return await redisStore({ ...(await readRedisOptions(redis)), openTimeoutMs: 3000 });
}

async function assertOpens(settings: Record<string, string>): Promise<void> {
  const store = await open(settings);
  try {
    assert.ok((await store.now()) > 0);
  } finally {
    await store.close();
  }
}

async function assertRefused(settings: Record<string, string>): Promise<void> {
  await assert.rejects(open(settings), (error) => {
    assert.ok(isHoldfastError(error, "store_unavailable"), String(error));
    assert.doesNotMatch(error.message, /watch-word|hunter22/);
    return true;
  });
}

/** A primary with the password `secret`, and a Sentinel with more lines of configuration. */
async function startSentinel(t: TestContext, lines: readonly string[]): Promise<RedisServer> {
  const primary = await RedisServer.start(["requirepass secret"]);
  t.after(async () => await primary.stop());
  const monitor = [`sentinel monitor main 127.0.0.1 ${primary.port} 1`, "sentinel auth-pass main secret"];
  const sentinel = await RedisServer.start([...monitor, ...lines], "sentinel");
  t.after(async () => await sentinel.stop());
  return sentinel;
}

async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "holdfast-sentinel-"));
  t.after(async () => await rm(folder, { recursive: true, force: true }));
  return folder;
}

test(
  "the service gives Sentinels their own user and password, from a setting or a file",
  options,
  async (t) => {
    const sentinel = await startSentinel(t, [
      "requirepass watch-word",
      "user observer on >observer-word allchannels ~* +@all",
    ]);
    const url = { REDIS_URL: `redis-sentinel://:secret@127.0.0.1:${sentinel.port}/main` };
    await assertOpens({ ...url, HOLDFAST_REDIS_SENTINEL_PASSWORD: "watch-word" });
    const observer = {
      HOLDFAST_REDIS_SENTINEL_USER: "observer",
      HOLDFAST_REDIS_SENTINEL_PASSWORD: "observer-word",
    };
    await assertOpens({ ...url, ...observer });
    await assertRefused(url);
    await assertRefused({ ...url, HOLDFAST_REDIS_SENTINEL_PASSWORD: "hunter22" });

    const file = join(await temporaryFolder(t), "password");
    const inFile = { ...url, HOLDFAST_REDIS_SENTINEL_PASSWORD_FILE: file };
    await writeFile(file, "watch-word\n", { mode: 0o600 });
    await assertOpens(inFile);
    await writeFile(file, "hunter22\n");
    await assertRefused(inFile);
    await writeFile(file, "observer-word\n");
    await assertOpens({ ...inFile, HOLDFAST_REDIS_SENTINEL_USER: "observer" });
    await chmod(file, 0o666);
    await assert.rejects(open(inFile), { code: "invalid_option", message: /can be written by other users/ });
  },
);

test("a password of the Sentinels that changed is used at the next connection", options, async (t) => {
  const sentinel = await startSentinel(t, ["user app on >first-word allchannels ~* +@all"]);
  const proxy = await UnresponsiveProxy.start(sentinel.port);
  t.after(() => proxy.close());
  const file = join(await temporaryFolder(t), "password");
  await writeFile(file, "first-word", { mode: 0o600 });
  const store = await open({
    REDIS_URL: `redis-sentinel://:secret@127.0.0.1:${proxy.port}/main`,
    HOLDFAST_REDIS_SENTINEL_USER: "app",
    HOLDFAST_REDIS_SENTINEL_PASSWORD_FILE: file,
  });
  t.after(async () => await store.close());
  await writeFile(file, "second-word");
  await sentinel.cli("ACL", "SETUSER", "app", "resetpass", ">second-word");
  // The proxy closes the connections, and counts those that send the new password.
  proxy.mute("second-word");
  await waitUntil(async () => proxy.mutedCount > 0, "a connection with the new password");
  proxy.unmute();
  const isBack = async () =>
    await store.now().then(
      () => true,
      () => false,
    );
  await waitUntil(isBack, "the store");
});

test("Sentinels use TLS with their own certificate before a primary without TLS", options, async (t) => {
  const folder = await temporaryFolder(t);
  const { cert, key } = makeCertificate({ from: Date.now() - DAY_MS, to: Date.now() + DAY_MS });
  const other = makeCertificate({ from: Date.now() - DAY_MS, to: Date.now() + DAY_MS });
  const files = {
    cert: join(folder, "cert.pem"),
    key: join(folder, "key.pem"),
    other: join(folder, "other.pem"),
  };
  await writeFile(files.cert, cert);
  await writeFile(files.key, key, { mode: 0o600 });
  await writeFile(files.other, other.cert);
  const port = await freePort();
  await startSentinel(t, [
    `tls-port ${port}`,
    `tls-cert-file ${files.cert}`,
    `tls-key-file ${files.key}`,
    `tls-ca-cert-file ${files.cert}`,
    "requirepass watch-word",
  ]);
  const settings = {
    REDIS_URL: `redis-sentinel://:secret@127.0.0.1:${port}/main`,
    HOLDFAST_REDIS_SENTINEL_PASSWORD: "watch-word",
    HOLDFAST_REDIS_SENTINEL_TLS: "on",
    HOLDFAST_REDIS_SENTINEL_CA: files.cert,
  };
  // The Sentinel demands a certificate of the client.
  await assertRefused(settings);
  const client = { HOLDFAST_REDIS_SENTINEL_CERT: files.cert, HOLDFAST_REDIS_SENTINEL_KEY: files.key };
  await assertOpens({ ...settings, ...client });
  await assertRefused({ ...settings, ...client, HOLDFAST_REDIS_SENTINEL_CA: files.other });
  const { HOLDFAST_REDIS_SENTINEL_CA: _, ...plain } = settings;
  await assertRefused({ ...plain, HOLDFAST_REDIS_SENTINEL_TLS: "off" });
});

const sentinelUrl = { REDIS_URL: "redis-sentinel://a:1,b:2/main" };

test("Sentinels may use TLS or not, whatever their primary does, with the files of the primary where theirs are missing", () => {
  const ofPrimary = { HOLDFAST_REDIS_CA: "/ca", HOLDFAST_REDIS_CERT: "/cert", HOLDFAST_REDIS_KEY: "/key" };
  const read = (settings: Record<string, string>) => readSettings({ ...inRedis, ...settings }).redis;
  const withTls = read({
    ...sentinelUrl,
    ...ofPrimary,
    HOLDFAST_REDIS_SENTINEL_TLS: "on",
    HOLDFAST_REDIS_SENTINEL_CA: "/own",
  });
  assert.deepEqual(withTls?.sentinel, { url: "redis://main", nodes: ["rediss://a:1", "rediss://b:2"] });
  assert.deepEqual(withTls.sentinelTlsFiles, { ca: "/own", cert: "/cert", key: "/key" });
  const without = read({ REDIS_URL: "rediss-sentinel://a:1/main", HOLDFAST_REDIS_SENTINEL_TLS: "off" });
  assert.deepEqual(without?.sentinel, { url: "rediss://main", nodes: ["redis://a:1"] });
});

const wrong: readonly (readonly [settings: Record<string, string>, message: RegExp])[] = [
  [
    { REDIS_URL: "redis://a", HOLDFAST_REDIS_SENTINEL_TLS: "on" },
    /_TLS needs REDIS_URL to begin with redis-sentinel$/,
  ],
  [{ HOLDFAST_REDIS_SENTINEL_USER: "me" }, /_USER needs HOLDFAST_REDIS_SENTINEL_PASSWORD, or its file$/],
  [
    { HOLDFAST_REDIS_SENTINEL_PASSWORD: "hunter22", HOLDFAST_REDIS_SENTINEL_PASSWORD_FILE: "/p" },
    /_PASSWORD and HOLDFAST_REDIS_SENTINEL_PASSWORD_FILE exclude each other$/,
  ],
  [{ HOLDFAST_REDIS_SENTINEL_CA: "/ca" }, /_CA needs HOLDFAST_REDIS_SENTINEL_TLS=on$/],
  [
    { HOLDFAST_REDIS_SENTINEL_TLS: "on", HOLDFAST_REDIS_SENTINEL_KEY: "/key" },
    /_CERT and HOLDFAST_REDIS_SENTINEL_KEY need each other$/,
  ],
  [{ HOLDFAST_REDIS_SENTINEL_TLS: "yes" }, /^HOLDFAST_REDIS_SENTINEL_TLS must be on or off$/],
];

for (const [settings, message] of wrong) {
  test(`settings of Sentinels that cannot work are refused: ${Object.keys(settings).join(", ")}`, () => {
    assert.throws(() => readSettings({ ...inRedis, ...sentinelUrl, ...settings }), { message });
  });
}

test("redisStore refuses settings of Sentinels that cannot work, without a password in the message", async () => {
  const { cert } = makeCertificate({ from: Date.now() - DAY_MS, to: Date.now() + DAY_MS });
  const sentinelCredentials = () => ({ password: "hunter22" });
  const sentinel = { url: "redis://main", nodes: ["redis://a:1"] };
  for (const [target, message] of [
    [{ url: "redis://a", sentinelCredentials }, /sentinelCredentials needs sentinel/],
    [{ sentinel, sentinelTls: { ca: cert } }, /sentinelTls needs nodes that begin with rediss:/],
    [
      { sentinel: { ...sentinel, nodes: ["redis://:hunter22@a:1"] }, sentinelCredentials },
      /sentinelCredentials and a password in the URL of a Sentinel exclude each other/,
    ],
    [{ sentinel, sentinelCredentials: { password: "hunter22" } }, /sentinelCredentials must be a function/],
  ] as const) {
    await assert.rejects(redisStore(target as Parameters<typeof redisStore>[0]), (error) => {
      assert.ok(isHoldfastError(error, "invalid_option"), String(error));
      assert.match(error.message, message);
      assert.doesNotMatch(error.message, /hunter22/);
      return true;
    });
  }
});
