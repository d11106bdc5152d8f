import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test, type TestContext } from "node:test";
import { systemClock } from "../../src/core/clock.ts";
import { storeEvents } from "../../src/core/event-channels.ts";
import type { StoreEvent } from "../../src/core/events.ts";
import { isHoldfastError } from "../../src/core/errors.ts";
import { logIn } from "../../src/stores/conformance/fixtures.ts";
import { redisStore, type RedisStoreOptions } from "../../src/stores/redis.ts";
import type { RedisClient } from "../../src/stores/redis/client.ts";
import { RedisConnection } from "../../src/stores/redis/connection.ts";
import { FailureReason } from "../../src/stores/redis/failure-reason.ts";
import { defineWrite } from "../../src/stores/redis/script.ts";
import type { Store } from "../../src/stores/store.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";
import {
  noRedis,
  RedisServer,
  startCluster,
  startSentinels,
  waitForReplica,
  waitUntil,
} from "../support/redis-servers.ts";

const options = { skip: noRedis };

async function start(t: TestContext, settings: readonly string[] = []): Promise<RedisServer> {
  const server = await RedisServer.start(settings);
  t.after(async () => await server.stop());
  return server;
}

async function open(t: TestContext, target: RedisStoreOptions): Promise<Store> {
  const store = await redisStore({ prefix: `${randomBytes(6).toString("hex")}:`, ...target });
  t.after(async () => await store.close());
  return store;
}

const refused = (why: RegExp) => (error: unknown) => {
  assert.ok(isHoldfastError(error, "invalid_option"), String(error));
  assert.match(error.message, why);
  return true;
};

test("replicas without min-replicas-to-write are refused by name", options, async (t) => {
  const primary = await start(t);
  await start(t, [`replicaof 127.0.0.1 ${primary.port}`]);
  await waitForReplica(primary);
  const target = { url: primary.url, replicas: 1 };
  await assert.rejects(
    redisStore(target),
    refused(/has min-replicas-to-write 0: .*; set min-replicas-to-write 1/),
  );
  await open(t, { ...target, durability: "unchecked" });
  await primary.cli("CONFIG", "SET", "min-replicas-to-write", "1");
  const store = await open(t, target);
  assert.match(store.description, /\(appendfsync always, 1 replica\)$/);
});

test(
  "a replica that restarts does not let the primary carry out writes that are not acknowledged",
  options,
  async (t) => {
    const primary = await start(t, ["min-replicas-to-write 1"]);
    const replica = await start(t, [`replicaof 127.0.0.1 ${primary.port}`]);
    await waitForReplica(primary);
    const store = await open(t, { url: primary.url, replicas: 1 });
    await logIn(store, "s1");
    await replica.kill();
    const isGone = async () => !((await primary.cli("INFO", "replication")) ?? "").includes("state=online");
    await waitUntil(isGone, "a primary without a replica");
    await assert.rejects(logIn(store, "s2"), (error) => isHoldfastError(error, "store_unavailable"));
    assert.equal(await store.sessions.get("s2"), null);
  },
);

test("a store behind Sentinels waits for one replica unless it is told otherwise", options, async (t) => {
  const sentinels = await startSentinels();
  t.after(async () => await sentinels.stop());
  const target = { sentinel: sentinels.options };
  await assert.rejects(redisStore(target), refused(/min-replicas-to-write 0/));
  const careless = await open(t, { ...target, replicas: 0 });
  assert.match(careless.description, /\(appendfsync always\)$/);
  await sentinels.primary.cli("CONFIG", "SET", "min-replicas-to-write", "1");
  const careful = await open(t, target);
  assert.match(careful.description, /1 replica/);
});

test(
  "a store in a cluster with replicas waits for one of them unless it is told otherwise",
  options,
  async (t) => {
    const cluster = await startCluster();
    t.after(async () => await cluster.stop());
    const target = { cluster: cluster.urls };
    await assert.rejects(redisStore(target), refused(/min-replicas-to-write 0/));
    await open(t, { ...target, replicas: 0 });
    await Promise.all(
      cluster.servers.map(async (server) => await server.cli("CONFIG", "SET", "min-replicas-to-write", "1")),
    );
    const careful = await open(t, target);
    assert.match(careful.description, /1 replica/);
  },
);

test(
  "fault 6: a configuration that becomes less durable is told while the store is open",
  options,
  async (t) => {
    const server = await start(t);
    const clock = new FakeClock();
    const store = await open(t, { url: server.url, clock });
    const events: StoreEvent[] = [];
    const listener = (event: unknown) => void events.push(event as StoreEvent);
    storeEvents.subscribe(listener);
    t.after(() => {
      storeEvents.unsubscribe(listener);
    });
    assert.equal(store.problem, null);
    await server.cli("CONFIG", "SET", "maxmemory-policy", "allkeys-lru");
    await clock.advance(60_000);
    await waitUntil(async () => events.length === 1, "an event");
    assert.equal(events[0]?.event, "durability_lost");
    assert.match(events[0]?.message ?? "", /has maxmemory-policy allkeys-lru/);
    assert.match(store.problem ?? "", /maxmemory-policy allkeys-lru/);
    assert.match(store.description, /allkeys-lru/);
    await server.cli("CONFIG", "SET", "maxmemory-policy", "noeviction");
    await server.cli("CONFIG", "SET", "appendfsync", "no");
    await clock.advance(60_000);
    await waitUntil(async () => events.length === 2, "the second event");
    assert.match(events[1]?.message ?? "", /has appendfsync no/);
    await server.cli("CONFIG", "SET", "appendfsync", "everysec");
    await clock.advance(60_000);
    await waitUntil(async () => events.length === 3, "the third event");
    assert.equal(events[2]?.event, "durability_restored");
    assert.equal(store.problem, null);
  },
);

test("fault 6: the configuration is read again when a server is back", options, async (t) => {
  const server = await start(t);
  const store = await open(t, { url: server.url });
  const events: string[] = [];
  const listener = (event: unknown) => void events.push((event as StoreEvent).event);
  storeEvents.subscribe(listener);
  t.after(() => {
    storeEvents.unsubscribe(listener);
  });
  await server.kill();
  await waitUntil(async () => events.includes("connection_failed"), "a failed probe");
  await server.up();
  await waitUntil(async () => events.includes("connection_restored"), "a connection");
  await server.cli("CONFIG", "SET", "appendonly", "no");
  await server.cli("CLIENT", "KILL", "TYPE", "normal");
  await waitUntil(async () => store.problem !== null, "the configuration");
  assert.ok(events.includes("durability_lost"));
});

/** A connection through `answer`, which gets each command. `connectionOf` names the connection that carries it. */
async function openThrough(
  t: TestContext,
  replicas: number,
  answer: (command: readonly string[]) => Promise<unknown>,
  connectionOf: () => string,
): Promise<RedisConnection> {
  const client: RedisClient = {
    async send(_key, command) {
      const before = connectionOf();
      return {
        reply: await answer(command),
        connection: { send: answer, isCurrent: () => connectionOf() === before },
      };
    },
    sendToPrimaries: async () => ["PONG"],
    serverOf: () => "",
    destroy: async () => {},
  };
  const settings = { description: "redis", clock: systemClock, random: Math.random, virtual: false };
  const reason = new FailureReason([]);
  const link = await RedisConnection.open(async () => client, {
    ...settings,
    commandTimeoutMs: 20,
    replicas,
    reason,
  });
  t.after(async () => await link.close());
  return link;
}

const unavailable = (error: unknown) => isHoldfastError(error, "store_unavailable");

test("law 12: WAIT on another connection than that of the write acknowledges nothing", async (t) => {
  let connection = 1;
  let next = 1;
  const sent: string[] = [];
  const answer = async (command: readonly string[]) => {
    sent.push(`${command[0]} on ${connection}`);
    if (command[0] === "WAIT") return 1;
    connection = next;
    return "done";
  };
  const link = await openThrough(t, 1, answer, () => String(connection));
  const script = defineWrite("return 1");
  assert.equal(await link.runScript(script, ["k"]), "done");
  next = 2;
  await assert.rejects(link.runScript(script, ["k"]), unavailable);
  assert.deepEqual(sent, ["EVALSHA on 1", "WAIT on 1", "EVALSHA on 1", "WAIT on 2"]);
});

for (const replicas of [0, 1]) {
  test(`law 12: with replicas ${replicas}, a late answer is acknowledged only by a server that still is a primary`, async (t) => {
    let connection = 1;
    let onConfirm = () => {};
    const sent: string[] = [];
    const answer = async (command: readonly string[]) => {
      sent.push(command[0] ?? "");
      if (command[0] === "WAIT") return 1;
      if (command[0] === "DEL") return onConfirm();
      // The answer is late by the real clock, as after a freeze.
      const end = performance.now() + 30;
      while (performance.now() < end);
      return "done";
    };
    const link = await openThrough(t, replicas, answer, () => String(connection));
    const script = defineWrite("return 1");
    assert.equal(await link.runScript(script, ["k"]), "done");
    assert.deepEqual(sent, replicas === 0 ? ["EVALSHA", "DEL"] : ["EVALSHA", "WAIT", "DEL"]);
    sent.length = 0;
    onConfirm = () => {
      throw new Error("READONLY You can't write against a read only replica.");
    };
    await assert.rejects(link.runScript(script, ["k"]), unavailable);
    assert.equal(sent.filter((name) => name === "EVALSHA").length, 1, "the write is not repeated");
    onConfirm = () => void connection++;
    await assert.rejects(link.runScript(script, ["k"]), unavailable);
  });
}
