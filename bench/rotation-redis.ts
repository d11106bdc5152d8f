/**
 * How much a rotation costs beside the round trip it cannot do without: one GET of the same client library from the
 * same server. That appends to its file and syncs once a second, so the disk is not what is measured. Leaves out
 * tokens and HTTP.
 */
import { createClient } from "redis";
import { redisStore } from "../src/stores/redis.ts";
import { RedisServer } from "../test/support/redis-servers.ts";
import { measure, report, type Contender } from "./measure.ts";

const SESSIONS = 1000;
const DIGEST = "d".repeat(43);
const SEALED = "s".repeat(160);
const FACTS = JSON.stringify({ scopes: ["orders:read", "orders:write"], device: "x".repeat(150) });
const HOUR_MS = 3_600_000;

const server = await RedisServer.start(["appendfsync everysec"]);
const client = createClient({ url: server.url, RESP: 2, commandOptions: { timeout: 0 } });
await client.connect();
await client.set("value", FACTS);
const store = await redisStore({ url: server.url });
const authAt = await store.now();
for (let i = 0; i < SESSIONS; i++) {
  await store.sessions.create({
    id: `session-${i}`,
    subject: `subject-${i}`,
    authAt,
    absoluteExpiresAt: authAt + 24 * HOUR_MS,
    facts: FACTS,
    mac: DIGEST,
    currentDigest: DIGEST,
    idleMs: HOUR_MS,
  });
}

const generations = Array.from({ length: SESSIONS }, () => 1);
let turn = 0;

/** Rotates the sessions in turn. */
async function rotateNext(): Promise<void> {
  const i = turn++ % SESSIONS;
  const sessionId = `session-${i}`;
  const generation = generations[i] ?? 1;
  generations[i] = generation + 1;
  const { outcome } = await store.sessions.rotate({
    sessionId,
    generation,
    presentedDigest: DIGEST,
    successorDigest: DIGEST,
    sealedSuccessor: SEALED,
    idleMs: HOUR_MS,
    graceMs: 30_000,
    onReuse: { kind: "session", id: sessionId, issuer: "https://id.example.com", until: authAt + HOUR_MS },
  });
  if (outcome !== "rotated") throw new Error(outcome);
}

function contender(name: string, inFlight: number, work: () => Promise<unknown>, target?: number): Contender {
  return {
    name,
    ...(target !== undefined && { target }),
    async run(iterations) {
      let left = iterations;
      const worker = async () => {
        while (left-- > 0) await work();
      };
      await Promise.all(Array.from({ length: inFlight }, worker));
    },
  };
}

try {
  const get = async () => await client.get("value");
  report([
    await measure("rotation on Redis, one after the other", [
      contender("GET", 1, get),
      contender("rotate", 1, rotateNext, 1.4),
    ]),
    await measure("rotation on Redis, 64 in flight", [
      contender("GET", 64, get),
      contender("rotate", 64, rotateNext),
    ]),
  ]);
} finally {
  await store.close();
  client.destroy();
  await server.stop();
}
