import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { noRedis, redisSettings, RedisServer } from "../support/redis-servers.ts";
import { seededRandom } from "../soak/random.ts";
import { measureWorstRequests } from "./one-request/hold-to-bound.ts";
import { startMeasuredService } from "./one-request/measured-service.ts";
import { usualRequests } from "./one-request/requests.ts";

/** `npm run test:soak -- --part requests` sends all of them, for half an hour on each store. */
const SHARE = 1 / 150;

async function startRedis(t: TestContext): Promise<Record<string, string>> {
  const redis = await RedisServer.start();
  t.after(async () => await redis.stop());
  return redisSettings(redis);
}

const stores = [
  { name: "SQLite", skip: false, start: async () => ({}) },
  { name: "Redis", skip: noRedis, start: startRedis },
] as const;

for (const { name, skip, start } of stores) {
  void describe(`fault 66, law 6: one request to a service on ${name}`, { skip }, () => {
    void test("fault 66, law 6: no request takes 50 ms of the main thread, whatever is in it", async (t) => {
      const service = await startMeasuredService(await start(t));
      t.after(service.stop);
      const { requests, worst, broken } = await measureWorstRequests({
        service,
        random: seededRandom(66),
        share: SHARE,
      });
      t.diagnostic(`${requests} requests, the worst ${worst.cpuMs.toFixed(1)} ms: ${worst.name}`);
      assert.ok(requests > 500, `${requests} requests`);
      assert.deepEqual(broken, []);
    });

    void test("fault 66: the requests reach the work of every endpoint", async (t) => {
      const service = await startMeasuredService(await start(t));
      t.after(service.stop);
      const unexpected: string[] = [];
      for (const { endpoint, make } of usualRequests(service.credentials, service.adminPort)) {
        const request = make();
        const { status } = await service.measure(request);
        const { usualStatus: usual } = endpoint;
        if (usual === "2xx" ? !status.startsWith("2") : status !== usual) {
          unexpected.push(`${request.name} answered ${status}`);
        }
        if (endpoint.session === "ended") await service.renew("ended");
      }
      assert.deepEqual(unexpected, []);
    });
  });
}
