/**
 * Compares a rotation with the minimum that it needs: one GET with the same client library from the same server. The
 * server syncs its file once a second, so the disk is not measured. Tokens and HTTP are left out.
 */
import { createClient } from "redis";
import { redisStore } from "../src/stores/redis.ts";
import { RedisServer } from "../test/support/redis-servers.ts";
import { inFlight } from "./in-flight.ts";
import { measure, report } from "./measure.ts";
import { FACTS, createSessions } from "./sessions.ts";

const server = await RedisServer.start(["appendfsync everysec"]);
const client = createClient({ url: server.url, RESP: 2, commandOptions: { timeout: 0 } });
await client.connect();
await client.set("value", FACTS);
const store = await redisStore({ url: server.url });
const rotateNext = await createSessions(store);

try {
  const get = async () => await client.get("value");
  report([
    await measure("rotation on Redis, one after the other", [
      inFlight(1, "GET", get),
      inFlight(1, "rotate", rotateNext, 1.4),
    ]),
    await measure("rotation on Redis, 64 in flight", [
      inFlight(64, "GET", get),
      inFlight(64, "rotate", rotateNext),
    ]),
  ]);
} finally {
  await store.close();
  client.destroy();
  await server.stop();
}
