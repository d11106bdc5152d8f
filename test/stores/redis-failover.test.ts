import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { storeEvents } from "../../src/core/event-channels.ts";
import { isHoldfastError } from "../../src/core/errors.ts";
import type { StoreEvent } from "../../src/core/events.ts";
import { logIn, present, makeRevocation } from "../../src/stores/conformance/fixtures.ts";
import type { RotationOutcome } from "../../src/stores/session-store.ts";
import type { Store } from "../../src/stores/store.ts";
import type { UserRecord } from "../../src/stores/user-store.ts";
import { redisStore } from "../../src/stores/redis.ts";
import { computeSlot } from "../../src/stores/redis/cluster-slot.ts";
import { noRedis, startCluster, startSentinels, waitUntil } from "../support/redis-servers.ts";

/** The server that takes over has no replica, and must still accept writes. */
const durability = "unchecked";
const unavailable = (error: unknown) => isHoldfastError(error, "store_unavailable");
const REVOCATION = {
  kind: "session",
  id: "s1",
  issuer: "https://id.example.com",
  until: Date.now() + 3_600_000,
} as const;

function user(username: string, mac: string, more: Partial<UserRecord> = {}): UserRecord {
  const record = { username, subject: `id of ${username}`, loginKey: username, mac };
  return { ...record, passwordHash: "old", scopes: ["read"], createdAt: 1, disabledAt: null, ...more };
}

/** Presents the token until the store answers, like a client that retries after 503. */
async function refresh(store: Store, id: string, generation: number): Promise<RotationOutcome> {
  let outcome: RotationOutcome | null = null;
  await waitUntil(async () => {
    try {
      outcome = await present(store, id, generation, { onReuse: REVOCATION });
    } catch (error) {
      assert.ok(unavailable(error), String(error));
    }
    return outcome !== null;
  }, "an answer");
  return outcome as unknown as RotationOutcome;
}

void describe("Redis behind Sentinels during a failover", { skip: noRedis }, () => {
  let sentinels: Awaited<ReturnType<typeof startSentinels>>;
  before(async () => (sentinels = await startSentinels()));
  after(async () => await sentinels.stop());

  void test("fault 5, fault 64: a process applies again what a failover lost of its acknowledged writes", async (t) => {
    const { primary, replica, options: sentinel } = sentinels;
    const careful = await redisStore({ sentinel, replicas: 1, durability, commandTimeoutMs: 1_000 });
    t.after(async () => await careful.close());
    const store = await redisStore({ sentinel, replicas: 0, commandTimeoutMs: 1_000 });
    t.after(async () => await store.close());
    await logIn(careful, "kept");
    await logIn(careful, "lost");
    await logIn(careful, "bobs", "bob");
    await careful.sessions.end("kept", "logout", await makeRevocation(careful, "session", "kept"));
    const names = ["alice", "bob", "carol", "dave", "erin"];
    for (const name of names) await careful.users.add(user(name, "m1"));
    const events: StoreEvent[] = [];
    const collect = (event: unknown) => void events.push(event as StoreEvent);
    storeEvents.subscribe(collect);
    t.after(() => storeEvents.unsubscribe(collect));

    // The replica is frozen before its link is cut, so that it cannot reconnect. It reads data in its socket after the
    // thaw.
    replica.freeze();
    await primary.cli("CLIENT", "KILL", "TYPE", "replica");
    const end = await makeRevocation(store, "session", "lost");
    await store.sessions.end("lost", "logout", end);
    await store.sessions.endAll("bob", "logout_all", end);
    const token = await store.revocations.append(await makeRevocation(store, "token", "t1"));
    const { position } = await store.revocations.snapshot();
    const changed = user("alice", "m2", { passwordHash: "new", loginKey: "alice2" });
    assert.equal(await store.users.replace(user("alice", "m0", { scopes: ["write"] }), "m1"), "replaced");
    assert.equal(await store.users.replace(changed, "m0"), "replaced");
    assert.equal(await store.users.remove("bob", "m1"), "removed");
    const disabled = user("carol", "m2", { disabledAt: 5 });
    assert.equal(await store.users.replace(disabled, "m1"), "replaced");
    assert.equal(await store.users.replace(user("dave", "m2", { disabledAt: 5 }), "m1"), "replaced");
    assert.equal(await store.users.remove("erin", "m1"), "removed");
    assert.equal(await store.users.add(user("erin", "m9")), "added");
    assert.equal(await store.users.add(user("frank", "m1")), "added");
    // A store with `replicas: 1` does not acknowledge a write that the replica lacks (law 12).
    await assert.rejects(careful.revocations.append(end), unavailable);
    await primary.kill();
    replica.thaw();

    await waitUntil(async () => (await replica.cli("ROLE"))?.includes("master") === true, "the promotion");
    assert.equal((await refresh(store, "kept", 1)).outcome, "ended");
    const restored = async () => {
      const { entries } = await store.revocations.snapshot().catch(() => ({ entries: [] }));
      const ids = entries.map(({ revocation }) => revocation.id);
      return ["kept", "lost", "bob", "t1"].every((id) => ids.includes(id));
    };
    await waitUntil(restored, "the lost entries");
    assert.equal((await store.revocations.after(position)).status, "gap");
    const { entries } = await store.revocations.snapshot();
    assert.ok(!entries.some(({ chain }) => chain === token.chain), "the new entries have another chain");
    const hasEvent = async () => events.some(({ event }) => event === "writes_restored");
    await waitUntil(hasEvent, "the event");
    const told = events.flatMap(({ event, message }) => (event === "writes_restored" ? [message] : []));
    assert.match(told.join(), /sessions that had ended: [12], revocations: 3, changes of users: 6/);
    assert.deepEqual(await store.users.get("alice"), changed);
    assert.deepEqual(await store.users.getByLoginKey("alice2"), changed);
    assert.equal(await store.users.getByLoginKey("alice"), null);
    assert.equal(await store.users.get("bob"), null);
    assert.equal(await store.users.getBySubject("id of bob"), null);
    assert.deepEqual(await store.users.get("carol"), disabled);
    assert.equal((await store.users.get("erin"))?.mac, "m9");
    assert.equal((await store.users.getBySubject("id of frank"))?.username, "frank");
    assert.deepEqual(
      (await store.users.list({ limit: 10 })).map(({ username }) => username),
      ["alice", "carol", "dave", "erin", "frank"],
    );
    for (const id of ["lost", "bobs"]) assert.equal((await present(store, id, 1)).outcome, "ended", id);
  });
});

void describe("Redis as a cluster during a failover", { skip: noRedis }, () => {
  let cluster: Awaited<ReturnType<typeof startCluster>>;
  before(async () => (cluster = await startCluster()));
  after(async () => await cluster.stop());

  void test("fault 4: no session is lost or forked when primaries are killed one after the other", async (t) => {
    const careful = await redisStore({
      cluster: cluster.urls,
      replicas: 1,
      durability,
      commandTimeoutMs: 1_000,
    });
    t.after(async () => await careful.close());
    const store = await redisStore({ cluster: cluster.urls, replicas: 0, commandTimeoutMs: 1_000 });
    t.after(async () => await store.close());
    const ids = Array.from({ length: 12 }, (_, i) => `s${i}`);
    for (const id of ids) await logIn(careful, id, `subject of ${id}`);
    for (const id of ids) assert.equal((await present(careful, id, 1)).outcome, "rotated");
    const revocation = await makeRevocation(store, "session", "s0");
    await careful.sessions.end("s0", "logout", revocation);

    for (const key of ["{a}", "x{session:ünï}:y", `{${ids.join()}}`]) {
      assert.equal(await cluster.servers[0]?.cli("CLUSTER", "KEYSLOT", key), `:${computeSlot(key)}\r\n`);
    }

    const [first, second] = cluster.servers;
    for (const [round, server] of [first, second].entries()) {
      await server?.kill();
      // A shard that still has its replica acknowledges, whatever happened to the other shards.
      const safe = ids.filter((id) => computeSlot(`{session:${id}}`) >= 10_924);
      assert.ok(safe.length > 0);
      for (const id of safe)
        assert.match((await refresh(careful, id, round + 2)).outcome, /^(rotated|repeated|ended)$/);
      for (const id of ids.slice(1)) {
        const { outcome } = await refresh(store, id, round + 2);
        assert.match(outcome, /^(rotated|repeated)$/, id);
      }
      assert.equal((await refresh(store, "s0", 2)).outcome, "ended");
      await server?.up();
      const linked = async () =>
        ((await server?.cli("INFO", "replication")) ?? "").includes("master_link_status:up");
      await waitUntil(linked, "the old primary, as a replica");
    }
    assert.equal((await store.revocations.snapshot()).entries.length, 1);
    for (const id of ids.slice(1)) {
      const { outcome } = await refresh(store, id, 3);
      assert.equal(outcome, "repeated", "the same successor, not a second one");
    }
  });
});

void describe("Redis behind Sentinels that answers late", { skip: noRedis }, () => {
  let sentinels: Awaited<ReturnType<typeof startSentinels>>;
  before(async () => (sentinels = await startSentinels()));
  after(async () => await sentinels.stop());

  void test("law 12: a write that a frozen primary answers after a failover is acknowledged only if the new primary has it", async (t) => {
    const { primary, replica, options: sentinel } = sentinels;
    const commandTimeoutMs = 2_000;
    const store = await redisStore({ sentinel, replicas: 0, durability, commandTimeoutMs });
    t.after(async () => await store.close());
    const write = async (name: string) => (await store.markers.claim(name, "x"), name);
    const acknowledged = [await write("first")];
    await waitUntil(
      async () => ((await replica.cli("HGET", "holdfast:{store}", "marker:first")) ?? "").includes("x"),
      "replication",
    );
    primary.freeze();
    const pending = ["a", "b", "c"].map(write);
    await waitUntil(async () => (await replica.cli("ROLE"))?.includes("master") === true, "the promotion");
    primary.thaw();
    for (const outcome of await Promise.allSettled(pending)) {
      if (outcome.status === "fulfilled") acknowledged.push(outcome.value);
      else assert.ok(unavailable(outcome.reason), String(outcome.reason));
    }
    for (const name of acknowledged) {
      const held = await replica.cli("HGET", "holdfast:{store}", `marker:${name}`);
      assert.match(held ?? "", /x/, name);
    }
  });
});
