import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { describe, test, type TestContext } from "node:test";
import { isMissing } from "../gateway/proxies.ts";
import { temporaryDataDir } from "../server/temporary-settings.ts";
import {
  clockFaults,
  cutFeedFault,
  floodFault,
  fullDiskFault,
  providerFaults,
  redisFaults,
  sqliteFaults,
  type Fault,
} from "../support/faults/faults.ts";
import { noRedis, redisSettings, RedisServer } from "../support/redis-servers.ts";
import { UnresponsiveProxy } from "../support/unresponsive-proxy.ts";
import { Comparison } from "./health-agrees/comparison.ts";
import { startSite, type Site } from "./health-agrees/site.ts";

/*
 * Real services behind a real nginx, and a steady mix of requests through it. Each second asks for everything that users
 * ask for, then for the health. `npm run test:soak -- --part health` draws faults of all lengths for an hour.
 */

/** A fault lasts this many seconds. */
const ROUNDS = 5;

async function compare(t: TestContext, site: Site, faults: readonly Fault[]): Promise<void> {
  t.after(site.stop);
  const comparison = new Comparison(site);
  for (const fault of faults) {
    await t.test(`law 10, fault 70: health agrees with users during ${fault.name}`, async () => {
      await comparison.during(fault, ROUNDS);
    });
  }
}

void describe("law 10: health agrees with users", { skip: isMissing("nginx"), concurrency: true }, () => {
  void test("law 10: health agrees with users of a service on SQLite", async (t) => {
    const site = await startSite();
    await compare(t, site, [...sqliteFaults(site), ...providerFaults(site)]);
  });

  void test("law 10: health agrees with users while the clock is wrong, or strangers log in", async (t) => {
    const site = await startSite();
    await compare(t, site, [...clockFaults(site), floodFault(site)]);
  });

  void test(
    "law 10: health agrees with users while the disk is full",
    { skip: process.getuid?.() !== 0 && "mounting a small disk needs root" },
    async (t) => {
      const dataDir = await temporaryDataDir();
      mkdirSync(dataDir, { recursive: true, mode: 0o700 });
      if (spawnSync("mount", ["-t", "tmpfs", "-o", "size=2m,mode=0700", "tmpfs", dataDir]).status !== 0)
        return t.skip("a small disk cannot be mounted here");
      t.after(() => spawnSync("umount", ["-l", dataDir]));
      const site = await startSite({ dataDir });
      await compare(t, site, [fullDiskFault(site)]);
    },
  );

  void test("law 10: health agrees with users of a service on Redis", { skip: noRedis }, async (t) => {
    const redis = await RedisServer.start();
    t.after(async () => await redis.stop());
    const site = await startSite({ settings: redisSettings(redis) });
    await compare(t, site, redisFaults(redis));
  });

  void test(
    "law 10: health agrees with users of a gateway that reads revocations from Redis",
    { skip: noRedis },
    async (t) => {
      const redis = await RedisServer.start();
      t.after(async () => await redis.stop());
      const link = await UnresponsiveProxy.start(redis.port);
      t.after(() => link.close());
      const settings = redisSettings(redis);
      const gatewaySettings = {
        HOLDFAST_ROLES: "gateway",
        HOLDFAST_BOOTSTRAP_USER: undefined,
        REDIS_URL: link.url,
      };
      const site = await startSite({ settings, gatewaySettings });
      await compare(t, site, [cutFeedFault(link)]);
    },
  );
});
