import { after, before, describe, test } from "node:test";
import { noRedis, RedisServer } from "../../support/redis-servers.ts";
import { compareCommands } from "./compare-commands.ts";

void describe("the model of Redis", { skip: noRedis }, () => {
  let server: RedisServer;
  before(async () => (server = await RedisServer.start()));
  after(async () => await server.stop());

  test("gives the replies of a server to any sequence of commands, and holds the same data after it", async () => {
    await compareCommands(server, { sequences: 300 });
  });

  for (const policy of ["noeviction", "allkeys-lru", "volatile-ttl"] as const) {
    test(`deletes the same keys as a server that runs out of memory under ${policy}`, async () => {
      await compareCommands(server, { sequences: 100, policy });
    });
  }
});
