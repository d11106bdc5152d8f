import assert from "node:assert/strict";
import { test } from "node:test";
import { connectCluster } from "../../src/stores/redis/cluster-client.ts";
import type { RedisClient } from "../../src/stores/redis/client.ts";

/** A client of the package whose list of primaries is empty for some reads after it connected, as during a new look at the slots. */
async function connectWithEmptyReads(emptyReads: number): Promise<RedisClient> {
  let reads = 0;
  const primary = { address: "127.0.0.1:1" };
  const client = {
    get masters() {
      const read = reads++;
      return read > 0 && read <= emptyReads ? [] : [primary];
    },
    nodeClient: async () => await Promise.resolve({ sendCommand: async () => await Promise.resolve("PONG") }),
    destroy: () => undefined,
  };
  const redis = { createCluster: () => client } as unknown as Parameters<typeof connectCluster>[0];
  const connect = (async () => await Promise.resolve(client)) as unknown as Parameters<
    typeof connectCluster
  >[3];
  const settings = {} as Parameters<typeof connectCluster>[2];
  return await connectCluster(redis, [new URL("redis://127.0.0.1:1")], settings, connect);
}

test("fault 4: a command to all primaries waits while the client reads the slots of the cluster again", async () => {
  const client = await connectWithEmptyReads(3);
  assert.deepEqual(await client.sendToPrimaries(["PING"]), ["PONG"]);
});

test("fault 4: a cluster client that knows no primary answers with an error, and not with an empty list", async () => {
  const client = await connectWithEmptyReads(Infinity);
  await assert.rejects(client.sendToPrimaries(["PING"]), /it knows no primary of the cluster/);
});

for (const [reply, interruptions] of [
  ["MOVED 0 127.0.0.1:2", 1],
  ["ASK 0 127.0.0.1:2", 0],
] as const) {
  test(`fault 64: a cluster client that is answered ${reply.split(" ")[0]} reports ${interruptions} interruptions`, async () => {
    const primary = { address: "127.0.0.1:1" };
    const refuse = async () => await Promise.reject(new Error(reply));
    const client = {
      masters: [primary],
      slots: Array.from({ length: 16_384 }, () => ({ master: primary })),
      nodeClient: async () => await Promise.resolve({ sendCommand: refuse }),
      sendCommand: async () => await Promise.resolve("OK"),
      destroy: () => undefined,
    };
    const redis = { createCluster: () => client } as unknown as Parameters<typeof connectCluster>[0];
    const connect = (async () => await Promise.resolve(client)) as unknown as Parameters<
      typeof connectCluster
    >[3];
    const seen: unknown[] = [];
    const settings = { onInterruption: (error: unknown) => seen.push(error) } as unknown as Parameters<
      typeof connectCluster
    >[2];
    const cluster = await connectCluster(redis, [new URL("redis://127.0.0.1:1")], settings, connect);
    assert.equal(await cluster.send("key", ["GET", "key"]), "OK");
    assert.equal(seen.length, interruptions);
  });
}
