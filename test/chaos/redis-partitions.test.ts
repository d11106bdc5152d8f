import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { createIssuer } from "../../src/issuer/create-issuer.ts";
import type { Issuer } from "../../src/issuer/types.ts";
import { redisStore, type RedisStoreOptions } from "../../src/stores/redis.ts";
import type { Store } from "../../src/stores/store.ts";
import { authenticate, ISSUER_URL, SECRET } from "../issuer/fixture.ts";
import { noRedis, RedisServer, startSentinels, waitForReplica, waitUntil } from "../support/redis-servers.ts";
import { UnresponsiveProxy } from "../support/unresponsive-proxy.ts";
import {
  collectAlarms,
  expectThievesFound,
  startClients,
  type RefreshingClient,
} from "./refreshing-clients.ts";

/*
 * The servers have their own clocks, so these tests are scaled: `conflictMs` is 1.5 s instead of 30 s. Each fault lasts as
 * long relative to `conflictMs` as one of a minute. A busy machine needs most of the timeout for a write on two servers.
 */

const CONFLICT_MS = 1_500;
const COMMAND_TIMEOUT_MS = 700;

async function open(t: TestContext, options: RedisStoreOptions): Promise<Store> {
  const store = await redisStore({ commandTimeoutMs: COMMAND_TIMEOUT_MS, ...options });
  t.after(async () => await store.close());
  return store;
}

function startIssuer(t: TestContext, store: Store): Issuer {
  const issuer = createIssuer({
    url: ISSUER_URL,
    audience: "https://api.example.com",
    secret: SECRET,
    authenticate,
    conflictMs: CONFLICT_MS,
    store,
  });
  t.after(async () => await issuer.close());
  return issuer;
}

async function refreshAll(clients: readonly RefreshingClient[]): Promise<string[]> {
  return await Promise.all(clients.map(async (client) => await client.refresh()));
}

/** Each client repeats its refresh until it gets an answer, which must be the successor. */
async function refreshUntilAnswered(clients: readonly RefreshingClient[]): Promise<void> {
  for (const client of clients) {
    let status = "unavailable";
    await waitUntil(async () => (status = await client.refresh()) !== "unavailable", "an answer");
    assert.equal(status, "ok");
  }
}

async function generations(store: Store, clients: readonly RefreshingClient[]): Promise<unknown[]> {
  const find = async ({ tokens }: RefreshingClient) => await store.sessions.get(tokens.session_id);
  return (await Promise.all(clients.map(find))).map((session) => session?.generation);
}

/** Resolves when the clock of the store has passed `conflictMs`. */
function passConflictOn(store: Store): () => Promise<void> {
  return async () => {
    const until = (await store.now()) + CONFLICT_MS;
    await waitUntil(async () => (await store.now()) > until, "the end of conflictMs");
  };
}

const allOf = (clients: readonly RefreshingClient[], value: unknown) => clients.map(() => value);

void describe(
  "fault 63, law 8: clients of a Redis store that fails in part stay in",
  { skip: noRedis },
  () => {
    void test("fault 63: a partition lets writes through, and no answers", async (t) => {
      const server = await RedisServer.start();
      t.after(async () => await server.stop());
      const proxy = await UnresponsiveProxy.start(server.port);
      t.after(() => proxy.close());
      const direct = await open(t, { url: server.url });
      const issuer = startIssuer(t, await open(t, { url: proxy.url }));
      const alarms = collectAlarms(t);
      const clients = await startClients(issuer);

      proxy.silence("");
      proxy.mute("EVALSHA");
      const startedAt = await direct.now();
      await waitUntil(async () => {
        assert.deepEqual(await refreshAll(clients), allOf(clients, "unavailable"));
        const arrived = (await generations(direct, clients)).every((generation) => generation === 3);
        return arrived && (await direct.now()) > startedAt + 1.5 * CONFLICT_MS;
      }, "rotations whose answers are lost");
      proxy.unmute();
      proxy.cut();

      await refreshUntilAnswered(clients);
      assert.deepEqual(await generations(direct, clients), allOf(clients, 3));
      assert.deepEqual(alarms, []);
      await expectThievesFound(issuer, clients, alarms, passConflictOn(direct));
    });

    void test("fault 63: a frozen server answers its backlog after the thaw", async (t) => {
      const server = await RedisServer.start();
      t.after(async () => await server.stop());
      const store = await open(t, { url: server.url });
      const issuer = startIssuer(t, store);
      const alarms = collectAlarms(t);
      const clients = await startClients(issuer);

      server.freeze();
      t.after(() => server.thaw());
      assert.deepEqual(await refreshAll(clients), allOf(clients, "unavailable"));
      assert.deepEqual(await refreshAll(clients), allOf(clients, "unavailable"));
      server.thaw();

      await refreshUntilAnswered(clients);
      assert.deepEqual(await generations(store, clients), allOf(clients, 3));
      assert.deepEqual(alarms, []);
      await expectThievesFound(issuer, clients, alarms, passConflictOn(store));
    });

    void test("fault 63: a replica restarts while `replicas` is 1", async (t) => {
      const primary = await RedisServer.start(["min-replicas-to-write 1"]);
      t.after(async () => await primary.stop());
      const replica = await RedisServer.start([`replicaof 127.0.0.1 ${primary.port}`]);
      t.after(async () => await replica.stop());
      await waitForReplica(primary);
      const store = await open(t, { url: primary.url, replicas: 1 });
      // Another store reads, because a connection answers nothing while it waits for the replica.
      const direct = await open(t, { url: primary.url, replicas: 0, durability: "unchecked" });
      const issuer = startIssuer(t, store);
      const alarms = collectAlarms(t);
      const clients = await startClients(issuer);

      // The primary carries out the writes, and the replica does not confirm them.
      replica.freeze();
      assert.deepEqual(await refreshAll(clients), allOf(clients, "unavailable"));
      assert.deepEqual(await generations(direct, clients), allOf(clients, 3));
      await replica.kill();
      assert.deepEqual(await refreshAll(clients), allOf(clients, "unavailable"));
      await replica.up();
      await waitForReplica(primary);

      await refreshUntilAnswered(clients);
      assert.deepEqual(await generations(direct, clients), allOf(clients, 3));
      assert.deepEqual(alarms, []);
      await expectThievesFound(issuer, clients, alarms, passConflictOn(store));
    });

    void test("fault 63, fault 64: a frozen primary answers after its replica has taken over", async (t) => {
      const sentinels = await startSentinels();
      t.after(async () => await sentinels.stop());
      const { primary, replica, options: sentinel } = sentinels;
      const store = await open(t, { sentinel, replicas: 1, durability: "unchecked" });
      const issuer = startIssuer(t, store);
      const alarms = collectAlarms(t);
      const clients = await startClients(issuer);

      primary.freeze();
      t.after(() => primary.thaw());
      assert.deepEqual(await refreshAll(clients), allOf(clients, "unavailable"));
      await waitUntil(async () => (await replica.cli("ROLE"))?.includes("master") === true, "the promotion");
      await refreshAll(clients);
      // The old primary carries out what waits in its sockets, before Sentinel makes it a replica.
      primary.thaw();

      await refreshUntilAnswered(clients);
      assert.deepEqual(await generations(store, clients), allOf(clients, 3));
      assert.deepEqual(alarms, []);
      await expectThievesFound(issuer, clients, alarms, passConflictOn(store));
    });
  },
);
