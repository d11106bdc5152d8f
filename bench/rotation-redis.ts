/**
 * Compares a rotation with one GET with the same client library from the same server, and with a SET and a script that
 * decide nothing. Then compares the processor time of the server with that of a transaction of the same reads and writes, and with that of a
 * script of them. Neither decides anything. The server syncs its file once a second, so the disk is not measured. Tokens and HTTP are left out.
 */
import { readFileSync } from "node:fs";
import { createClient } from "redis";
import { redisStore } from "../src/stores/redis.ts";
import { RedisServer } from "../test/support/redis-servers.ts";
import { inFlight } from "./in-flight.ts";
import { compare, measure, report } from "./measure.ts";
import { createSessions, DIGEST, FACTS, HOUR_MS, SEALED, SESSIONS } from "./sessions.ts";

const server = await RedisServer.start(["appendfsync everysec"]);
const client = createClient({ url: server.url, RESP: 2, commandOptions: { timeout: 0 } });
await client.connect();
await client.set("value", FACTS);
// The calls of a round come together, and a busy machine answers the last one late.
const store = await redisStore({ url: server.url, commandTimeoutMs: 20_000 });
const rotateNext = await createSessions(store);

const ROUNDS = 15;
const CALLS = 4_000;
/** As long as a session of this benchmark after its first rotation. */
const SESSION = "x".repeat(780);
const serverPid = Number(/process_id:(\d+)/.exec(await client.info("server"))?.[1]);

/** The processor time of the server's main thread so far, microseconds. Linux only. */
function serverMicros(): number {
  return Number(readFileSync(`/proc/${serverPid}/schedstat`, "utf8").split(" ")[0]) / 1000;
}

let calls = 0;
const nextKey = () => `transaction:${calls++ % SESSIONS}`;
const LIFE = String(24 * HOUR_MS);

async function transaction(): Promise<void> {
  const key = nextKey();
  const commands = [
    ["MULTI"],
    ["HGET", "holdfast:{store}", "format"],
    ["TIME"],
    ["GET", key],
    ["SET", key, SESSION, "PX", LIFE],
    ["EXEC"],
  ];
  await Promise.all(commands.map((words) => client.sendCommand(words)));
}

const scriptSha = await client.scriptLoad(
  `redis.call('HGET', KEYS[2], 'format')
local time = redis.call('TIME')
local session = redis.call('GET', KEYS[1])
redis.call('SET', KEYS[1], session, 'PX', ARGV[1])
return {'rotated', time[1], session}`,
);

async function script(): Promise<void> {
  const args = [LIFE, DIGEST, DIGEST, SEALED];
  await client.sendCommand(["EVALSHA", scriptSha, "2", nextKey(), "holdfast:{store}", ...args]);
}

/** What 64 callers cost the server for each call. */
async function serverCost() {
  const contenders = [
    { name: "MULTI of the same reads and writes", work: transaction },
    { name: "a script of them", work: script },
    { name: "rotate", work: rotateNext, target: 1.8 },
  ];
  const micros: number[][] = contenders.map(() => []);
  for (let round = -2; round < ROUNDS; round++) {
    for (const [i, { name, work }] of contenders.entries()) {
      const before = serverMicros();
      await inFlight(64, name, work).run(CALLS);
      if (round >= 0) micros[i]?.push((serverMicros() - before) / CALLS); // The first two warm up.
    }
  }
  return compare("processor time of the server for a rotation, 64 in flight", contenders, micros);
}

try {
  const get = async () => await client.get("value");
  const set = async () => await client.sendCommand(["SET", nextKey(), SESSION, "PX", LIFE]);
  // The script needs all keys.
  for (let i = 0; i < SESSIONS; i++) await set();
  report([
    await measure("rotation on Redis, one after the other", [
      inFlight(1, "GET", get),
      inFlight(1, "SET of a session", set),
      inFlight(1, "a script of the same reads and writes", script),
      inFlight(1, "rotate", rotateNext, 1.4),
    ]),
    await measure("rotation on Redis, 64 in flight", [
      inFlight(64, "GET", get),
      inFlight(64, "rotate", rotateNext),
    ]),
    await serverCost(),
  ]);
} finally {
  await store.close();
  client.destroy();
  await server.stop();
}
