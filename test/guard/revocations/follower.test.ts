import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { test } from "node:test";
import type { RevocationFeed } from "../../../src/stores/store.ts";
import { makeWorld, own, type World } from "../fixture.ts";

type Asked = { snapshots: number; tails: number };

/** The world's log behind a feed that counts, and that a test can bend. */
function feedOf(world: World, bend: Partial<RevocationFeed> = {}): RevocationFeed & { asked: Asked } {
  const asked = { snapshots: 0, tails: 0 };
  return {
    asked,
    snapshot: async () => {
      asked.snapshots++;
      return await (bend.snapshot ?? world.log.snapshot.bind(world.log))();
    },
    after: async (position) => {
      asked.tails++;
      return await (bend.after ?? world.log.after.bind(world.log))(position);
    },
    subscribe: bend.subscribe ?? (() => () => {}),
  };
}

test("law 3: what another process revoked is seen with the next poll", async () => {
  const world = await makeWorld();
  const feed = feedOf(world);
  const guard = world.guard({ revocations: feed, revocationPollMs: 250 });
  await guard.ready();
  const token = world.mint.token({ sid: "s" });
  await guard.validate(token);
  await world.revoke("session", "s");
  assert.equal((await guard.validate(token)).status, "valid");
  await world.clock.advance(250);
  assert.deepEqual(await guard.validate(token), { status: "invalid", reason: "revoked" });
  assert.deepEqual(feed.asked, { snapshots: 1, tails: 1 });
  await guard.close();
});

test("fault 7: a delivery that skips entries makes the tail be read at once, without a snapshot", async () => {
  const world = await makeWorld();
  let deliver: Parameters<RevocationFeed["subscribe"]>[0] = () => {};
  const feed = feedOf(world, {
    subscribe(listener) {
      deliver = listener;
      return () => {};
    },
  });
  const guard = world.guard({ revocations: feed, revocationPollMs: 60_000 });
  await guard.ready();
  const token = world.mint.token({ sid: "s1" });
  await world.revoke("session", "s1");
  await world.revoke("session", "s2");
  const tail = await world.log.after({
    epoch: (await world.log.snapshot()).position.epoch,
    seq: 0,
    chain: "",
  });
  assert.ok(tail.status === "ok");
  deliver(tail.entries.slice(1));
  await world.clock.advance(0);
  assert.deepEqual(await guard.validate(token), { status: "invalid", reason: "revoked" });
  assert.equal(own(guard).revocations?.seq, 2);
  assert.deepEqual(feed.asked, { snapshots: 1, tails: 1 });
  await guard.close();
});

test("fault 9: a tail that is gone leads to a snapshot, and the age grows until it is there", async () => {
  const world = await makeWorld();
  let gap = false;
  let down = false;
  const feed = feedOf(world, {
    after: async (position) => (gap ? { status: "gap" } : await world.log.after(position)),
    snapshot: async () => (down ? await Promise.reject(new Error("down")) : await world.log.snapshot()),
  });
  const guard = world.guard({ revocations: feed });
  await guard.ready();
  await world.revoke("session", "s");
  gap = true;
  down = true;
  await world.clock.advance(2_000);
  const status = own(guard).revocations;
  assert.ok(status !== null && !status.complete && status.ageMs >= 2_000);
  down = false;
  gap = false;
  await world.clock.advance(6_000);
  assert.ok(own(guard).revocations?.complete);
  assert.deepEqual(await guard.validate(world.mint.token({ sid: "s" })), {
    status: "invalid",
    reason: "revoked",
  });
  await guard.close();
});

test("law 1: until the first complete view a token is unavailable, not valid and not invalid", async () => {
  const world = await makeWorld();
  const feed = feedOf(world, { snapshot: async () => await Promise.reject(new Error("down")) });
  const guard = world.guard({ revocations: feed });
  const verdict = await guard.validate(world.mint.token());
  assert.ok(verdict.status === "unavailable" && verdict.cause === "revocations_stale");
  await guard.close();
});

test("fault 2: a read that hangs is given up at its deadline, and what it says afterwards is not applied", async () => {
  const world = await makeWorld();
  let answer: () => void = () => {};
  let hang = true;
  const feed = feedOf(world, {
    snapshot: async () => {
      const snapshot = await world.log.snapshot();
      if (hang) await new Promise<void>((resolve) => (answer = resolve));
      return snapshot;
    },
  });
  const guard = world.guard({ revocations: feed });
  await world.clock.advance(5_000);
  assert.match(own(guard).revocations?.lastError ?? "", /5000 ms/);
  answer();
  hang = false;
  assert.equal(own(guard).revocations?.ageMs, Infinity);
  await world.clock.advance(1_000);
  assert.ok(own(guard).revocations?.complete);
  await guard.close();
});

test("law 3: a view is as old as the beginning of the read that completed it", async () => {
  const world = await makeWorld();
  const feed = feedOf(world, {
    snapshot: async () => {
      const snapshot = await world.log.snapshot();
      await new Promise<void>((resolve) => world.clock.after(3_000, resolve));
      return snapshot;
    },
  });
  const guard = world.guard({ revocations: feed });
  await world.clock.advance(3_000);
  assert.equal(own(guard).revocations?.ageMs, 3_000);
  await guard.close();
});

test("fault 7: a delivery that skips entries during a read leads to another read right after it", async () => {
  const world = await makeWorld();
  let deliver: Parameters<RevocationFeed["subscribe"]>[0] = () => {};
  let release: () => void = () => {};
  let hold = false;
  const feed = feedOf(world, {
    subscribe(listener) {
      deliver = listener;
      return () => {};
    },
    after: async (position) => {
      const tail = await world.log.after(position);
      if (hold) await new Promise<void>((resolve) => (release = resolve));
      return tail;
    },
  });
  const guard = world.guard({ revocations: feed, revocationPollMs: 10_000 });
  await guard.ready();
  hold = true;
  await world.clock.advance(10_000);
  await world.revoke("session", "s1");
  await world.revoke("session", "s2");
  const { position } = await world.log.snapshot();
  const tail = await world.log.after({ ...position, seq: 0, chain: "" });
  assert.ok(tail.status === "ok");
  deliver(tail.entries.slice(1));
  hold = false;
  release();
  await world.clock.advance(0);
  assert.equal(feed.asked.tails, 2);
  assert.equal(own(guard).revocations?.seq, 2);
  await guard.close();
});

test("fault 34: a wall clock that is ahead for a while does not make a revocation forgotten", async () => {
  const world = await makeWorld();
  const guard = world.guard({ revocations: world.log });
  await guard.ready();
  const token = world.mint.token({ sid: "s" });
  await world.revoke("session", "s");
  world.clock.setWall(world.clock.now() + 86_400_000);
  await world.clock.advance(61_000);
  world.clock.setWall(world.clock.now() - 86_400_000);
  assert.deepEqual(await guard.validate(token), { status: "invalid", reason: "revoked" });
  await world.clock.advance(3_601_000);
  assert.equal(own(guard).revocations?.entries, 0);
  await guard.close();
});

test("a failing feed is asked less and less often, and at once often again when it is back", async () => {
  const world = await makeWorld();
  let down = false;
  const feed = feedOf(world, {
    after: async (position) =>
      down ? await Promise.reject(new Error("down")) : await world.log.after(position),
  });
  const guard = world.guard({ revocations: feed, revocationPollMs: 100 });
  await guard.ready();
  down = true;
  await world.clock.advance(60_000);
  const whileDown = feed.asked.tails;
  assert.ok(whileDown < 30, `asked ${whileDown} times`);
  down = false;
  await world.clock.advance(5_000);
  const before = feed.asked.tails;
  await world.clock.advance(1_000);
  assert.ok(feed.asked.tails - before >= 9);
  await guard.close();
});

test("fault 34: a suspended machine's view is as old as the wall clock says", async () => {
  const world = await makeWorld();
  const guard = world.guard({ revocations: world.log });
  await guard.ready();
  world.clock.suspend(120_000);
  const verdict = await guard.validate(world.mint.token());
  assert.ok(verdict.status === "unavailable" && verdict.cause === "revocations_stale");
  await world.clock.advance(250);
  assert.equal((await guard.validate(world.mint.token())).status, "valid");
  await guard.close();
});

test("a feed that answers plainly instead of with promises works", async () => {
  const world = await makeWorld();
  const snapshot = await world.log.snapshot();
  const feed = {
    snapshot: () => snapshot,
    after: () => ({ status: "ok", entries: [] }),
    subscribe: () => () => {},
  } as unknown as RevocationFeed;
  const guard = world.guard({ revocations: feed });
  await guard.ready();
  await world.clock.advance(1_000);
  assert.equal((await guard.validate(world.mint.token())).status, "valid");
  await guard.close();
});

test("a view that was full goes on by itself once older revocations concern nothing any more", async () => {
  const world = await makeWorld();
  const guard = world.guard({ revocations: world.log, maxRevocations: 2 });
  await guard.ready();
  await world.revoke("session", "a");
  await world.revoke("session", "b");
  await world.clock.advance(1_800_000);
  await world.revoke("session", "c");
  await world.clock.advance(120_000);
  const full = await guard.validate(world.mint.token());
  assert.ok(full.status === "unavailable" && full.cause === "revocations_stale");
  await world.clock.advance(1_800_000);
  assert.equal((await guard.validate(world.mint.token())).status, "valid");
  assert.deepEqual(await guard.validate(world.mint.token({ sid: "c" })), {
    status: "invalid",
    reason: "revoked",
  });
  await guard.close();
});

test("closing gives up a read that hangs, without an alarm", async () => {
  const world = await makeWorld();
  const never = async () => await new Promise<never>(() => {});
  const guard = world.guard({ revocations: feedOf(world, { snapshot: never }), name: "closing" });
  const ready = assert.rejects(guard.ready({ timeoutMs: 600_000 }), { code: "closed" });
  await world.clock.advance(100);
  const alarms: unknown[] = [];
  const listen = (event: unknown) => void alarms.push(event);
  subscribe("holdfast:guard", listen);
  await guard.close();
  await ready;
  unsubscribe("holdfast:guard", listen);
  assert.equal(world.clock.pending, 0);
  assert.deepEqual(alarms, []);
});
