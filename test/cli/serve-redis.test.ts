import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { test, type TestContext } from "node:test";
import { localFiles } from "../../src/server/store/local-store.ts";
import { createProvider } from "../../src/testing/index.ts";
import { temporaryDataDir } from "../server/temporary-settings.ts";
import { login, post, refresh, refreshOrFail, measureUntil, verify } from "../support/auth-calls.ts";
import { noRedis, RedisServer, waitUntil } from "../support/redis-servers.ts";
import { startTlsRedis } from "../support/redis-tls.ts";
import { startService, type ServiceProcess } from "../support/service-process.ts";

const secret = "a secret that both services share";

interface Pair {
  readonly redis: RedisServer;
  /** Two services with separate directories, as on two machines. */
  readonly services: readonly [ServiceProcess, ServiceProcess];
  readonly folders: readonly [string, string];
}

async function makePair(t: TestContext): Promise<Pair> {
  const redis = await RedisServer.start();
  t.after(async () => await redis.stop());
  const folders = [await temporaryDataDir(), await temporaryDataDir()] as const;
  const start = async (folder: string) => {
    const service = await startService(folder, settings(redis));
    t.after(async () => await service.stop("SIGKILL"));
    return service;
  };
  return { redis, folders, services: [await start(folders[0]), await start(folders[1])] };
}

function settings(redis: RedisServer): Record<string, string> {
  return { HOLDFAST_STORE: "redis", REDIS_URL: redis.url, HOLDFAST_SECRET: secret };
}

const options = { skip: noRedis };

test(
  "law 3, law 4: two services on one Redis share users and sessions, and see each other's revocations",
  options,
  async (t) => {
    const { services, redis } = await makePair(t);
    assert.match(
      services[0].output(),
      new RegExp(`store: redis 127\\.0\\.0\\.1:${redis.port} \\(appendfsync always\\)`),
    );
    const urls = services.map((service) => service.url);
    for (const [one = "", other = ""] of [urls, urls.toReversed()]) {
      const tokens = await login(one);
      assert.equal(await verify(other, tokens.access_token), 200);
      const next = await refreshOrFail(other, tokens.refresh_token);
      assert.equal((await post(one, "/auth/logout", { refresh_token: next.refresh_token })).status, 204);
      const ms = await measureUntil(async () => (await verify(other, next.access_token)) === 401, 5_000);
      assert.notEqual(ms, Number.POSITIVE_INFINITY);
    }
    for (const service of services) {
      assert.equal(await service.stop(), 0);
      assert.ok(!service.output().includes(secret));
    }
  },
);

for (const [what, stop, restart] of [
  ["stopped", async (r: RedisServer) => await r.kill(), async (r: RedisServer) => await r.up()],
  ["frozen", (r: RedisServer) => r.freeze(), (r: RedisServer) => r.thaw()],
] as const) {
  test(
    `fault 12, law 1: Redis ${what} leads to 503 with Retry-After, spends no token, and recovers`,
    options,
    async (t) => {
      const { services, redis } = await makePair(t);
      const [one, other] = [services[0].url, services[1].url];
      const kept = await login(one);
      const ended = await login(one);
      await stop(redis);
      for (const answer of [
        await refresh(one, kept.refresh_token),
        await refresh(other, kept.refresh_token),
        await post(one, "/auth/logout", { refresh_token: ended.refresh_token }),
        await post(one, "/auth/login", { username: "alice", password: "correct horse battery" }),
      ]) {
        assert.equal(answer.status, 503);
        assert.ok(Number(answer.headers.get("retry-after")) >= 1);
      }
      assert.equal(await verify(one, kept.access_token), 200);
      await restart(redis);
      const isBack = async (url: string) => (await refresh(url, kept.refresh_token)).status === 200;
      assert.notEqual(await measureUntil(async () => await isBack(one), 15_000), Number.POSITIVE_INFINITY);
      assert.notEqual(await measureUntil(async () => await isBack(other), 15_000), Number.POSITIVE_INFINITY);
      const next = await refreshOrFail(other, kept.refresh_token);
      assert.equal(await verify(one, next.access_token), 200);
      assert.equal((await post(other, "/auth/logout", { refresh_token: ended.refresh_token })).status, 204);
      const ms = await measureUntil(async () => (await verify(one, ended.access_token)) === 401, 5_000);
      assert.notEqual(ms, Number.POSITIVE_INFINITY);
    },
  );
}

test(
  "law 4: services that start together on an empty Redis use the same keys, first user and identity",
  options,
  async (t) => {
    const redis = await RedisServer.start();
    t.after(async () => await redis.stop());
    const folders = [await temporaryDataDir(), await temporaryDataDir(), await temporaryDataDir()];
    const start = async (folder: string) => {
      const service = await startService(folder, settings(redis));
      t.after(async () => await service.stop("SIGKILL"));
      return service;
    };
    const services = await Promise.all(folders.map(start));
    const tokens = await login(services[0]?.url ?? "");
    for (const { url } of services) assert.equal(await verify(url, tokens.access_token), 200);
    const markers = folders.map(async (folder) => await readFile(localFiles(folder).marker));
    assert.equal(new Set((await Promise.all(markers)).map(String)).size, 1);
    assert.equal(services.filter((service) => service.output().includes("first user")).length, 1);
  },
);

test(
  "law 1: a secret is replaced by restarting two services one after the other, and every user stays logged in",
  options,
  async (t) => {
    const { services, redis, folders } = await makePair(t);
    const running: ServiceProcess[] = [...services];
    let { refresh_token: token } = await login(services[0].url);
    const next = "the secret that both have afterwards";
    for (const list of [`${secret},${next}`, `${next},${secret}`]) {
      for (const [i, folder] of folders.entries()) {
        await running[i]?.stop();
        const service = await startService(folder, { ...settings(redis), HOLDFAST_SECRET: list });
        t.after(async () => await service.stop("SIGKILL"));
        running[i] = service;
        for (const { url } of running) {
          const tokens = await refreshOrFail(url, token);
          token = tokens.refresh_token;
          for (const each of running) assert.equal(await verify(each.url, tokens.access_token), 200);
        }
      }
    }
  },
);

test(
  "fault 62: every machine that used Redis refuses an emptied one, and creates no data",
  options,
  async (t) => {
    const { services, redis, folders } = await makePair(t);
    for (const service of services) await service.stop();
    await redis.cli("FLUSHALL");
    for (const folder of folders) {
      await assert.rejects(
        startService(folder, settings(redis)),
        /is empty, or is not the store.*local\/store/s,
      );
    }
  },
);

test(
  "law 4: a service with the Redis store does not start without Redis, and names it",
  options,
  async (t) => {
    const { services, redis, folders } = await makePair(t);
    for (const service of services) await service.stop();
    await redis.kill();
    await assert.rejects(
      startService(folders[0], settings(redis)),
      new RegExp(`127\\.0\\.0\\.1:${redis.port}`),
    );
    await assert.rejects(
      startService(folders[0], { HOLDFAST_STORE: "redis", REDIS_URL: redis.url }),
      /HOLDFAST_STORE=redis needs HOLDFAST_SECRET/,
    );
  },
);

test("services share the answers of a provider's authority", options, async (t) => {
  const redis = await RedisServer.start();
  t.after(async () => await redis.stop());
  const provider = await createProvider({ audience: "https://api.example" });
  await provider.listen();
  t.after(async () => await provider.close());
  const start = async () => {
    const service = await startService(await temporaryDataDir(), {
      ...settings(redis),
      HOLDFAST_AUDIENCE: "https://api.example",
      HOLDFAST_PROVIDER_ISSUER: provider.issuer,
      HOLDFAST_AUTHORITY_URL: provider.url("introspection"),
      HOLDFAST_AUTHORITY_CLIENT: `${provider.clientId}:${provider.clientSecret}`,
    });
    t.after(async () => await service.stop("SIGKILL"));
    return service.url;
  };
  const [one, other] = [await start(), await start()];
  const asked: string[] = [];
  provider.fault("introspection", {
    respond: async (request) => {
      const token = new URLSearchParams(await request.text()).get("token") ?? "";
      if (!token.startsWith("holdfast-probe-")) asked.push(token);
      return Response.json({ active: !token.startsWith("holdfast-probe-"), sub: "user" });
    },
  });
  const token = provider.token();
  assert.equal(await verify(one, token), 200);
  assert.equal(await verify(other, token), 200);
  assert.deepEqual(asked, [token]);
});

test(
  "fault 67: the service uses a CA file and a password file, and health says why there is no connection",
  options,
  async (t) => {
    const redis = await startTlsRedis(t);
    const folder = await temporaryDataDir();
    const [ca, passwordFile] = [`${folder}.ca.pem`, `${folder}.password`];
    await writeFile(ca, redis.cert);
    await writeFile(passwordFile, "secret\n");
    const service = await startService(folder, {
      HOLDFAST_STORE: "redis",
      HOLDFAST_SECRET: secret,
      REDIS_URL: redis.url.replace(":secret@", ""),
      HOLDFAST_REDIS_CA: ca,
      HOLDFAST_REDIS_PASSWORD_FILE: passwordFile,
    });
    t.after(async () => await service.stop("SIGKILL"));
    const tokens = await login(service.url);
    await redis.setPassword("other-secret");
    const health = async () => await (await fetch(`${service.admin}/health`)).text();
    await waitUntil(
      async () => (await health()).includes("not connected: WRONGPASS"),
      "the reason in health",
    );
    await writeFile(passwordFile, "other-secret\n");
    const isBack = async () => (await refresh(service.url, tokens.refresh_token)).status === 200;
    await waitUntil(isBack, "a connection with the new password");
    assert.doesNotMatch(service.output(), /other-secret/);
  },
);
