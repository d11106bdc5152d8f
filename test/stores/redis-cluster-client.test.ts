import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { isHoldfastError } from "../../src/core/errors.ts";
import { connectCluster } from "../../src/stores/redis/cluster-client.ts";
import type { RedisClient } from "../../src/stores/redis/client.ts";
import { RedisConnection } from "../../src/stores/redis/connection.ts";
import { ImportingNodes } from "../../src/stores/redis/importing-nodes.ts";
import { FailureReason } from "../../src/stores/redis/failure-reason.ts";
import { defineWrite } from "../../src/stores/redis/script.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";

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

/** A cluster of two servers, the first of which has all slots, and answers with the error. */
async function connectToRefusing(refusal: string, seen: unknown[]): Promise<RedisClient> {
  const node = (answer: () => Promise<string>) => ({ sendCommand: answer, socketEpoch: 1 });
  const old = { address: "127.0.0.1:1", client: node(async () => await Promise.reject(new Error(refusal))) };
  const next = { address: "127.0.0.1:2", client: node(async () => await Promise.resolve("OK")) };
  const shard = { master: old };
  const slots = Array.from({ length: 16_384 }, () => shard);
  const client = {
    masters: [old],
    slots,
    nodeByAddress: new Map([old, next].map((one) => [one.address, one])),
    nodeClient: async (one: typeof old) => await Promise.resolve(one.client),
    // The package asks for the slots when it follows a redirection.
    sendCommand: async () => await Promise.resolve(void (shard.master = next)),
    destroy: () => undefined,
  };
  const redis = { createCluster: () => client } as unknown as Parameters<typeof connectCluster>[0];
  const connect = (async () => await Promise.resolve(client)) as unknown as Parameters<
    typeof connectCluster
  >[3];
  const settings = { onInterruption: (error: unknown) => seen.push(error) } as unknown as Parameters<
    typeof connectCluster
  >[2];
  return await connectCluster(redis, [new URL("redis://127.0.0.1:1")], settings, connect);
}

for (const [reply, interruptions] of [
  ["MOVED 0 127.0.0.1:2", 1],
  ["ASK 0 127.0.0.1:2", 0],
  // The server does not know how clients reach the other one.
  ["ASK 0 :2", 0],
] as const) {
  test(`fault 64: a cluster client that is answered "${reply}" reports ${interruptions} interruptions`, async () => {
    const seen: unknown[] = [];
    const cluster = await connectToRefusing(reply, seen);
    const answer = await cluster.send("key", ["GET", "key"]);
    assert.equal(answer.reply, "OK");
    assert.equal(await answer.connection.send(["WAIT", "1", "10"]), "OK", "the server that answered");
    assert.ok(answer.connection.isCurrent());
    assert.equal(seen.length, interruptions);
  });
}

test("fault 4: an earlier connection that fails late leaves the newer connection to the same server open", async () => {
  const attempts = [Promise.withResolvers<unknown>(), Promise.withResolvers<unknown>()] as const;
  let opened = 0;
  let hasSlots = false;
  const member = { socketEpoch: 1, sendCommand: async () => await Promise.resolve("member") };
  const newer = { ...member, sendCommand: async () => await Promise.resolve("newer"), on: () => undefined };
  const nodes = new ImportingNodes({
    findMember: async () => await Promise.resolve(hasSlots ? member : null),
    open: async () => await attempts[opened++]?.promise,
  } as unknown as ConstructorParameters<typeof ImportingNodes>[0]);
  const send = async () => (await nodes.send("a:1", new Error("ASK 0 b:2"), ["PING"])).reply;
  const first = send();
  await turn();
  // The server has slots for a moment, so its own connection is closed.
  hasSlots = true;
  assert.equal(await send(), "member");
  hasSlots = false;
  const second = send();
  await turn();
  attempts[0].reject(new Error("late"));
  await assert.rejects(first, /late/);
  attempts[1].resolve(newer);
  assert.equal(await second, "newer");
  assert.equal(await send(), "newer");
  assert.equal(opened, 2);
});

/** Runs a script whose keys are on two servers until `joinedMs`, and lets time pass until it ends. */
async function runSplit(joinedMs: number): Promise<{ reply: unknown; runs: number; tookMs: number }> {
  const clock = new FakeClock();
  let runs = 0;
  const send: RedisClient["send"] = async () => {
    runs++;
    if (clock.monotonic() < joinedMs)
      throw new Error("TRYAGAIN Multiple keys request during rehashing of slot");
    return await Promise.resolve({
      reply: "done",
      connection: { send: async () => 1, isCurrent: () => true },
    });
  };
  const client = { send, sendToPrimaries: async () => [], serverOf: () => "", destroy: async () => {} };
  const connection = await RedisConnection.open(async () => await Promise.resolve(client), {
    description: "redis",
    clock,
    networkClock: clock,
    random: () => 1,
    virtual: false,
    commandTimeoutMs: 500,
    replicas: 1,
    reason: new FailureReason([]),
  });
  const startedAt = clock.monotonic();
  const state = { isOver: false };
  const run = connection.runScript(defineWrite("return 1"), ["{a}1", "{a}2"]);
  const ended = run.then(
    (reply: unknown) => {
      state.isOver = true;
      return reply;
    },
    (error: unknown) => {
      state.isOver = true;
      return error;
    },
  );
  while (!state.isOver) await clock.advance(10);
  const reply = await ended;
  await connection.close();
  return { reply, runs, tookMs: clock.monotonic() - startedAt };
}

test("fault 4: a script whose keys are on two servers of a cluster is run when one server has them", async () => {
  const { reply, runs } = await runSplit(700);
  assert.equal(reply, "done");
  assert.ok(runs < 15, String(runs));
});

test("fault 4: a script whose keys stay on two servers is unavailable after half of its time", async () => {
  const { reply, tookMs } = await runSplit(Infinity);
  assert.ok(isHoldfastError(reply, "store_unavailable"));
  assert.ok(reply.retryAfterMs !== undefined && tookMs <= 1010, String(tookMs));
});
