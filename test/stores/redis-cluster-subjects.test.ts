import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ABSOLUTE_MS } from "../../src/stores/conformance/constants.ts";
import { logIn, subjectScope } from "../../src/stores/conformance/fixtures.ts";
import { redisStore } from "../../src/stores/redis.ts";
import { computeSlot } from "../../src/stores/redis/cluster-slot.ts";
import { findDoubt } from "../../src/stores/redis/write-confirmation.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";
import { noRedis, startCluster, type RedisCluster, type RedisServer } from "../support/redis-servers.ts";
import { SlotMove } from "../support/slot-move.ts";

/** The slots of each primary. */
const SHARE = Math.ceil(16_384 / 3);

void describe("Redis as a cluster that moves the slot of a subject", { skip: noRedis }, () => {
  let cluster: RedisCluster;
  before(async () => {
    cluster = await startCluster(["min-replicas-to-write 1"]);
  });
  after(async () => await cluster.stop());

  const primaryOf = (slot: number) => cluster.servers[Math.floor(slot / SHARE)] as RedisServer;
  const otherThan = (slot: number) => cluster.servers[(Math.floor(slot / SHARE) + 1) % 3] as RedisServer;

  test("fault 4: a login is accepted while its subject's slot moves, also when the earlier sessions have expired", async (t) => {
    const clock = new FakeClock();
    const store = await redisStore({ cluster: cluster.urls, clock });
    t.after(async () => await store.close());
    const subject = "returning-subject";
    await logIn(store, "long-ago", subject);
    await clock.advance(ABSOLUTE_MS + 2 * 86_400_000);
    const slot = computeSlot(`{subject:${subject}}`);
    const move = new SlotMove(slot, primaryOf(slot), otherThan(slot));
    await move.begin();
    await logIn(store, "today", subject);
    await move.moveKeys();
    await logIn(store, "after-the-move", subject);
    await move.finish();
    const { sessions } = await store.sessions.listBySubject(subject, { limit: 10 });
    assert.deepEqual(sessions.map(({ id }) => id).toSorted(), ["after-the-move", "today"]);
  });

  test("fault 4: a login is accepted and sessions are listed while the subject's slot moves, also after a logout of all", async (t) => {
    const store = await redisStore({ cluster: cluster.urls });
    t.after(async () => await store.close());
    const subject = "logged-out-subject";
    for (const id of ["one-of-all", "two-of-all"]) await logIn(store, id, subject);
    assert.equal(await store.sessions.endAll(subject, "logout_all", await subjectScope(store)), 2);
    const slot = computeSlot(`{subject:${subject}}`);
    const move = new SlotMove(slot, primaryOf(slot), otherThan(slot));
    await move.begin();
    const list = async () => (await store.sessions.listBySubject(subject, { limit: 2 })).sessions;
    assert.deepEqual(await list(), []);
    await logIn(store, "after-all", subject);
    assert.deepEqual(
      (await list()).map(({ id }) => id),
      ["after-all"],
    );
    await move.moveKeys();
    await move.finish();
  });

  test("law 12: a late write to a slot that moves is in doubt once its server refuses writes", async (t) => {
    const slot = computeSlot("{late}");
    const primary = primaryOf(slot);
    const move = new SlotMove(slot, primary, otherThan(slot));
    await move.begin();
    const send = async (command: readonly string[]) => {
      const reply = (await primary.cli(...command)) ?? "";
      if (reply.startsWith("-")) throw new Error(reply.slice(1));
      return reply;
    };
    const connection = { send, isCurrent: () => true };
    const needs = { key: "{late}", replicas: 0, waitMs: 10, isLate: true };
    assert.equal(await findDoubt(connection, needs), null, "a primary that gives the slot away");
    await primary.cli("CONFIG", "SET", "min-replicas-to-write", "5");
    t.after(async () => await primary.cli("CONFIG", "SET", "min-replicas-to-write", "1"));
    assert.match((await findDoubt(connection, needs)) ?? "", /accepts no writes now/);
    await move.finish();
  });
});
