import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { isHoldfastError } from "../../src/core/errors.ts";
import { computeSlot } from "../../src/stores/redis/cluster-slot.ts";
import { redisStore } from "../../src/stores/redis.ts";
import { waitUntil } from "../support/deadline.ts";
import { noRedis, startCluster, type RedisCluster, type RedisServer } from "../support/redis-servers.ts";
import { logIn, makeRevocation, present } from "../../src/stores/conformance/fixtures.ts";

/** The slots of each primary. */
const SHARE = Math.ceil(16_384 / 3);

void describe("Redis as a cluster in which a primary has no replica", { skip: noRedis }, () => {
  let cluster: RedisCluster;
  before(async () => (cluster = await startCluster(["min-replicas-to-write 1"])));
  after(async () => await cluster.stop());

  void test("concurrent rotations in a cluster succeed, although their sessions are on several servers", async (t) => {
    const store = await redisStore({ cluster: cluster.urls });
    t.after(async () => await store.close());
    const ids = Array.from({ length: 6 }, (_, i) => `concurrent${i}`);
    for (const id of ids) await logIn(store, id, `subject of ${id}`);
    const rotations = await Promise.all(
      ids.map(
        async (id) => await present(store, id, 1, { onReuse: await makeRevocation(store, "session", id) }),
      ),
    );
    assert.deepEqual(
      rotations.map(({ outcome }) => outcome),
      ids.map(() => "rotated"),
    );
  });

  void test("fault 4: a primary that loses its replica refuses its sessions, and the other primaries go on", async (t) => {
    const store = await redisStore({ cluster: cluster.urls, commandTimeoutMs: 1000 });
    t.after(async () => await store.close());
    const ids = Array.from({ length: 12 }, (_, i) => `s${i}`);
    for (const id of ids) await logIn(store, id, `subject of ${id}`);
    const isOfFirst = (id: string) => computeSlot(`{session:${id}}`) < SHARE;
    assert.ok(ids.some(isOfFirst) && !ids.every(isOfFirst));
    const [primary, , , replica] = cluster.servers as [RedisServer, RedisServer, RedisServer, RedisServer];

    await replica.kill();
    const replication = async () => (await primary.cli("INFO", "replication")) ?? "";
    await waitUntil(async () => !(await replication()).includes("state=online"), "the loss of the replica");
    for (const id of ids) {
      const rotation = present(store, id, 1);
      if (isOfFirst(id)) {
        await assert.rejects(rotation, (error) => isHoldfastError(error, "store_unavailable"));
        assert.equal((await store.sessions.get(id))?.generation, 1, id);
      } else assert.equal((await rotation).outcome, "rotated", id);
    }

    await replica.up();
    await waitUntil(async () => (await replication()).includes("state=online"), "the replica");
    for (const id of ids.filter(isOfFirst)) {
      assert.equal((await present(store, id, 1)).outcome, "rotated", id);
    }
  });

  void test("fault 4: a cluster with replicas of some primaries only is refused by name, unless it is told to do without", async () => {
    const [primary, , , replica] = cluster.servers as [RedisServer, RedisServer, RedisServer, RedisServer];
    await replica.cli("CLUSTER", "RESET", "SOFT");
    for (const server of cluster.servers.filter((one) => one !== replica)) {
      const nodes = async () => (await server.cli("CLUSTER", "NODES")) ?? "";
      const knowsTwo = async () => (await nodes()).match(/[ ,]slave[ ,]/g)?.length === 2;
      await waitUntil(knowsTwo, "a cluster that lost a replica");
    }
    await assert.rejects(redisStore({ cluster: cluster.urls }), (error) => {
      assert.ok(isHoldfastError(error, "invalid_option"));
      const named = `primaries without a replica (127.0.0.1:${primary.port}); add replicas, or set replicas to 0`;
      assert.ok(error.message.includes(named), error.message);
      return true;
    });
    const settings = cluster.servers.map(
      async (server) => await server.cli("CONFIG", "SET", "min-replicas-to-write", "0"),
    );
    await Promise.all(settings);
    const store = await redisStore({ cluster: cluster.urls, replicas: 0 });
    await logIn(store, "told", "subject of told");
    await store.close();
  });

  void test("fault 4: a node that was removed from the cluster answers without slots, and the store asks another one", async () => {
    const [primary, , , removed] = cluster.servers as [RedisServer, RedisServer, RedisServer, RedisServer];
    assert.match((await removed.cli("CLUSTER", "INFO")) ?? "", /cluster_known_nodes:1\b/);
    // The package asks one of the two at random.
    for (let opened = 0; opened < 8; opened++) {
      const store = await redisStore({ cluster: [removed.url, primary.url], replicas: 0 });
      await logIn(store, `opened ${opened}`, "subject of a store that opened");
      await store.close();
    }
    await assert.rejects(redisStore({ cluster: [removed.url], replicas: 0 }), (error) =>
      isHoldfastError(error, "store_unavailable"),
    );
  });
});
