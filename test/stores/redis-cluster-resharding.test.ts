import assert from "node:assert/strict";
import { after, before, describe, test, type TestContext } from "node:test";
import { isHoldfastError } from "../../src/core/errors.ts";
import type { RevocationEntry } from "../../src/core/revocation.ts";
import {
  acknowledge,
  logIn,
  makeRevocation,
  present,
  readLog,
} from "../../src/stores/conformance/fixtures.ts";
import type { Store } from "../../src/stores/store.ts";
import { redisStore } from "../../src/stores/redis.ts";
import { computeSlot } from "../../src/stores/redis/cluster-slot.ts";
import {
  noRedis,
  RedisServer,
  startCluster,
  waitForReplica,
  waitUntil,
  type RedisCluster,
} from "../support/redis-servers.ts";
import { SlotMove } from "../support/slot-move.ts";

/** The slots of each primary. */
const SHARE = Math.ceil(16_384 / 3);
const unavailable = (error: unknown) => isHoldfastError(error, "store_unavailable");
const slotOf = (id: string) => computeSlot(`{session:${id}}`);

/** Returns ids of sessions in the slot. */
function idsIn(slot: number, count: number): string[] {
  const ids: string[] = [];
  for (let i = 0; ids.length < count; i++) if (slotOf(`of-slot-${i}`) === slot) ids.push(`of-slot-${i}`);
  return ids;
}

void describe("Redis as a cluster that moves a slot", { skip: noRedis }, () => {
  let cluster: RedisCluster;
  /** A primary without slots, and its replica. */
  const added: RedisServer[] = [];
  before(async () => {
    cluster = await startCluster(["min-replicas-to-write 1"]);
    const settings = ["min-replicas-to-write 1", "cluster-enabled yes", "cluster-node-timeout 1000"];
    const [first] = cluster.servers as [RedisServer];
    for (let i = 0; i < 2; i++) {
      const server = await RedisServer.start(settings);
      added.push(server);
      await server.cli("CLUSTER", "MEET", "127.0.0.1", String(first.port));
    }
    const [primary, replica] = added as [RedisServer, RedisServer];
    const id = (await primary.cli("CLUSTER", "MYID"))?.split("\r\n")[1] ?? "";
    const follows = async () => (await replica.cli("CLUSTER", "REPLICATE", id)) === "+OK\r\n";
    await waitUntil(follows, "a replica of the new primary");
    await waitForReplica(primary);
    for (const server of [...cluster.servers, primary]) {
      const isReady = async () => {
        const info = (await server.cli("CLUSTER", "INFO")) ?? "";
        return info.includes("cluster_state:ok") && info.includes("cluster_known_nodes:8");
      };
      await waitUntil(isReady, "a cluster that knows the new primary");
    }
  });
  after(async () => {
    await cluster.stop();
    for (const server of added) await server.stop();
  });

  async function open(t: TestContext): Promise<Store> {
    const store = await redisStore({ cluster: cluster.urls, commandTimeoutMs: 1000 });
    assert.match(store.description, /1 replica/);
    t.after(async () => await store.close());
    return store;
  }

  const primaryOf = (slot: number) => cluster.servers[Math.floor(slot / SHARE)] as RedisServer;
  const otherThan = (slot: number) => cluster.servers[(Math.floor(slot / SHARE) + 1) % 3] as RedisServer;

  test("fault 4: a store without a revocation appends and follows its first one while the slot of the log moves", async (t) => {
    const store = await open(t);
    const slot = computeSlot("{store}");
    const move = new SlotMove(slot, primaryOf(slot), otherThan(slot));
    await move.begin();
    const { position } = await store.revocations.snapshot();
    assert.equal(position.seq, 0);
    assert.equal((await store.revocations.after(position)).status, "ok");
    await store.revocations.append(await makeRevocation(store, "token", "first"));
    const tail = await store.revocations.after(position);
    assert.equal(tail.status === "ok" && tail.entries.length, 1);
    await move.moveKeys();
    await move.finish();
    await move.undo();
  });

  for (const kind of ["another primary", "a new primary without slots"] as const) {
    test(`law 8, fault 4: no session is lost or refused while its slot moves to ${kind}`, async (t) => {
      const store = await open(t);
      const name = kind.replaceAll(" ", "-");
      const slot = slotOf(`moved-to-${name}`);
      const [one, two, three] = idsIn(slot, 3) as [string, string, string];
      const move = new SlotMove(
        slot,
        primaryOf(slot),
        kind === "another primary" ? otherThan(slot) : (added[0] as RedisServer),
      );
      const rotate = async (id: string, generation: number) => {
        assert.equal((await present(store, id, generation)).outcome, "rotated", `${id} ${generation}`);
        assert.equal((await present(store, id, generation)).outcome, "repeated", `${id} ${generation}`);
        assert.equal(await acknowledge(store, id, generation + 1), "acknowledged");
      };
      await logIn(store, one);
      await logIn(store, two);
      await move.begin();
      await rotate(one, 1);
      // A session that does not exist yet is created on the server that will have the slot.
      await logIn(store, three);
      await rotate(three, 1);
      await move.moveKey(`holdfast:{session:${one}}`);
      for (const id of [one, three]) await rotate(id, 2);
      await rotate(two, 1);
      await store.sessions.end(one, "logout", await makeRevocation(store, "session", one));
      assert.equal((await present(store, one, 3)).outcome, "ended");
      await move.moveKeys();
      await rotate(two, 2);
      await move.finish();
      for (const id of [two, three]) await rotate(id, 3);
      assert.equal((await present(store, one, 3)).outcome, "ended");
      const fresh = await open(t);
      assert.equal((await fresh.sessions.get(two))?.generation, 4);
      assert.deepEqual((await fresh.sessions.get(one))?.endReason, "logout");
    });
  }

  test("law 12: a write to a key that has moved is acknowledged only if a replica of its new primary has it", async (t) => {
    const store = await open(t);
    const slot = slotOf("wait-for-the-new-one");
    const [id] = idsIn(slot, 1) as [string];
    const target = otherThan(slot);
    const replica = cluster.servers[cluster.servers.indexOf(target) + 3] as RedisServer;
    await logIn(store, id);
    const move = new SlotMove(slot, primaryOf(slot), target);
    await move.begin();
    await move.moveKeys();
    replica.freeze();
    t.after(() => replica.thaw());
    await assert.rejects(
      store.sessions.end(id, "logout", await makeRevocation(store, "session", id)),
      unavailable,
    );
    replica.thaw();
    await waitForReplica(target);
    await store.sessions.end(id, "logout", await makeRevocation(store, "session", id));
    await move.finish();
  });

  test("fault 43: the log is followed while a move of its slot is interrupted between its keys", async (t) => {
    const store = await open(t);
    const { position } = await store.revocations.snapshot();
    await store.revocations.append(await makeRevocation(store, "token", "before the interruption"));
    const slot = computeSlot("{store}");
    const move = new SlotMove(slot, primaryOf(slot), otherThan(slot));
    await move.begin();
    for (const key of ["holdfast:{store}:in-force", "holdfast:{store}:log"]) {
      await move.moveKey(key);
      const tail = await store.revocations.after(position);
      assert.equal(tail.status === "ok" && tail.entries.length, 1, key);
    }
    await move.moveKeys();
    await move.finish();
    await move.undo();
  });

  test("fault 4, fault 43: revocations are appended, read and followed while the slot of the log moves", async (t) => {
    const [store, follower] = [await open(t), await open(t)];
    const told: RevocationEntry[] = [];
    t.after(follower.revocations.subscribe((entries) => void told.push(...entries)));
    const append = async (id: string) =>
      await store.revocations.append(await makeRevocation(store, "token", id));
    await append("before");
    const start = (await follower.revocations.snapshot()).position;
    const slot = computeSlot("{store}");
    const move = new SlotMove(slot, primaryOf(slot), otherThan(slot));
    await move.begin();
    await append("begun");
    const [first, ...rest] = await move.keys();
    await move.moveKey(first ?? "");
    // The keys of the log are on two servers now, and no script can use them.
    const pending = append("split");
    const tail = follower.revocations.after(start);
    await logIn(store, "during-the-split");
    assert.equal(await store.markers.read("absent"), null);
    for (const key of rest) await move.moveKey(key);
    await pending;
    await append("moved");
    assert.equal((await tail).status, "ok");
    await move.finish();
    await append("finished");
    const names = ["before", "begun", "split", "moved", "finished"];
    const { kinds } = await readLog(await open(t));
    assert.deepEqual(
      kinds.slice(-5),
      names.map((name) => `token ${name}`),
    );
    await waitUntil(
      async () => names.every((name) => told.some(({ revocation }) => revocation.id === name)),
      "the entries",
    );
    const end = await follower.revocations.after(start);
    assert.equal(end.status === "ok" && end.entries.length, 4);
  });

  test("fault 4: users and counts of attempts are read and changed while their slots move", async (t) => {
    const store = await open(t);
    const user = (mac: string, loginKey: string | null) => ({
      username: "ann",
      subject: "id of ann",
      loginKey,
      mac,
      passwordHash: "hash",
      scopes: [],
      createdAt: 1,
      disabledAt: null,
    });
    await store.users.add(user("m1", null));
    const slot = computeSlot("{users}");
    const move = new SlotMove(slot, primaryOf(slot), otherThan(slot));
    await move.begin();
    assert.equal((await store.users.get("ann"))?.mac, "m1", "no user has a login key");
    assert.equal((await store.users.getBySubject("id of ann"))?.mac, "m1");
    assert.equal((await store.users.list({ limit: 10 })).length, 1);
    await move.moveKeys();
    assert.equal((await store.users.get("ann"))?.mac, "m1");
    await move.finish();
    assert.equal(await store.users.replace(user("m2", "first"), "m1"), "replaced");
    const back = new SlotMove(slot, otherThan(slot), primaryOf(slot));
    await back.begin();
    assert.equal(await store.users.replace(user("m3", "second"), "m2"), "replaced", "the only login key");
    assert.equal(await store.users.getByLoginKey("first"), null);
    assert.equal((await store.users.getByLoginKey("second"))?.mac, "m3");
    await back.moveKeys();
    assert.equal(await store.users.replace(user("m4", "third"), "m3"), "replaced");
    await back.finish();
    assert.equal((await store.users.getByLoginKey("third"))?.mac, "m4");

    const group = computeSlot("{attempts:1}");
    const counts = new SlotMove(group, primaryOf(group), otherThan(group));
    const deltas = ["a of the group", "a second one"].map((key) => ({ key, count: 1, windowMs: 60_000 }));
    await counts.begin();
    for (const expected of [1, 2]) {
      const totals = (await store.attempts?.add(deltas)) ?? [];
      assert.deepEqual(
        totals.map(({ count }) => count),
        [expected, expected],
      );
    }
    await counts.moveKeys();
    await counts.finish();
    assert.equal((await store.attempts?.add(deltas))?.[0]?.count, 3);
  });

  test("law 12: keys that stay on two servers make a write unavailable with a time to retry", async (t) => {
    const store = await open(t);
    const subject = "split-subject";
    await logIn(store, "of-split-subject", subject);
    const slot = computeSlot(`{subject:${subject}}`);
    const move = new SlotMove(slot, primaryOf(slot), otherThan(slot));
    await move.begin();
    const [first] = await move.keys();
    await move.moveKey(first ?? "");
    const login = logIn(store, "second-of-split-subject", subject);
    await assert.rejects(login, (error) => unavailable(error) && /TRYAGAIN/.test(String(error)));
    await assert.rejects(login, (error) => isHoldfastError(error) && (error.retryAfterMs ?? 0) > 0);
    // The session itself is in another slot.
    assert.equal((await present(store, "of-split-subject", 1)).outcome, "rotated");
    await move.moveKeys();
    await logIn(store, "second-of-split-subject", subject);
    await move.finish();
    await logIn(store, "third-of-split-subject", subject);
  });
});
