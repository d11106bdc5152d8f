import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { test } from "node:test";
import type { RevocationFeed } from "../../../src/stores/store.ts";
import { makeFixture, onlyIssuer, type Fixture } from "../fixture.ts";

type ReadCounts = { snapshots: number; tails: number };

/** A feed on the log of `world` that counts its reads. `overrides` replaces its methods. */
function feedOf(
  world: Fixture,
  overrides: Partial<RevocationFeed> = {},
): RevocationFeed & { reads: ReadCounts } {
  const reads = { snapshots: 0, tails: 0 };
  return {
    reads,
    snapshot: async () => {
      reads.snapshots++;
      return await (overrides.snapshot ?? world.log.snapshot.bind(world.log))();
    },
    after: async (position) => {
      reads.tails++;
      return await (overrides.after ?? world.log.after.bind(world.log))(position);
    },
    subscribe: overrides.subscribe ?? (() => () => {}),
  };
}

test("law 3: a revocation by another process takes effect at the next poll", async () => {
  const world = await makeFixture();
  const feed = feedOf(world);
  const guard = world.guard({ revocations: feed, revocationPollMs: 250 });
  await guard.ready();
  const token = world.mint.token({ sid: "s" });
  await guard.validate(token);
  await world.revoke("session", "s");
  assert.equal((await guard.validate(token)).status, "valid");
  await world.clock.advance(250);
  assert.deepEqual(await guard.validate(token), { status: "invalid", reason: "revoked" });
  assert.deepEqual(feed.reads, { snapshots: 1, tails: 1 });
  await guard.close();
});

test("fault 7: a delivery that skips entries leads to an immediate read of the tail, without a snapshot", async () => {
  const world = await makeFixture();
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
  assert.equal(onlyIssuer(guard).revocations?.seq, 2);
  assert.deepEqual(feed.reads, { snapshots: 1, tails: 1 });
  await guard.close();
});

test("fault 9: a missing tail leads to a snapshot, and the age grows until the snapshot arrives", async () => {
  const world = await makeFixture();
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
  const status = onlyIssuer(guard).revocations;
  assert.ok(status !== null && !status.complete && status.ageMs >= 2_000);
  down = false;
  gap = false;
  await world.clock.advance(6_000);
  assert.ok(onlyIssuer(guard).revocations?.complete);
  assert.deepEqual(await guard.validate(world.mint.token({ sid: "s" })), {
    status: "invalid",
    reason: "revoked",
  });
  await guard.close();
});

test("law 1: until the first complete view the verdict is unavailable, neither valid nor invalid", async () => {
  const world = await makeFixture();
  const feed = feedOf(world, { snapshot: async () => await Promise.reject(new Error("down")) });
  const guard = world.guard({ revocations: feed });
  const verdict = await guard.validate(world.mint.token());
  assert.ok(verdict.status === "unavailable" && verdict.cause === "revocations_stale");
  await guard.close();
});

test("fault 2: a hanging read fails at its deadline, and its late result is discarded", async () => {
  const world = await makeFixture();
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
  assert.match(onlyIssuer(guard).revocations?.lastError ?? "", /5000 ms/);
  answer();
  hang = false;
  assert.equal(onlyIssuer(guard).revocations?.ageMs, Infinity);
  await world.clock.advance(1_000);
  assert.ok(onlyIssuer(guard).revocations?.complete);
  await guard.close();
});

test("law 3: the age of a view counts from the start of the read that completed it", async () => {
  const world = await makeFixture();
  const feed = feedOf(world, {
    snapshot: async () => {
      const snapshot = await world.log.snapshot();
      await new Promise<void>((resolve) => world.clock.after(3_000, resolve));
      return snapshot;
    },
  });
  const guard = world.guard({ revocations: feed });
  await world.clock.advance(3_000);
  assert.equal(onlyIssuer(guard).revocations?.ageMs, 3_000);
  await guard.close();
});

test("fault 7: a delivery that skips entries during a read leads to another read after it", async () => {
  const world = await makeFixture();
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
  assert.equal(feed.reads.tails, 2);
  assert.equal(onlyIssuer(guard).revocations?.seq, 2);
  await guard.close();
});

test("fault 34: a wall clock that runs ahead for a while does not drop a revocation", async () => {
  const world = await makeFixture();
  const guard = world.guard({ revocations: world.log });
  await guard.ready();
  const token = world.mint.token({ sid: "s" });
  await world.revoke("session", "s");
  world.clock.setWall(world.clock.now() + 86_400_000);
  await world.clock.advance(61_000);
  world.clock.setWall(world.clock.now() - 86_400_000);
  assert.deepEqual(await guard.validate(token), { status: "invalid", reason: "revoked" });
  await world.clock.advance(3_601_000);
  assert.equal(onlyIssuer(guard).revocations?.entries, 0);
  await guard.close();
});

test("polls of a failing feed back off, and return to their interval when the feed recovers", async () => {
  const world = await makeFixture();
  let down = false;
  const feed = feedOf(world, {
    after: async (position) =>
      down ? await Promise.reject(new Error("down")) : await world.log.after(position),
  });
  const guard = world.guard({ revocations: feed, revocationPollMs: 100 });
  await guard.ready();
  down = true;
  await world.clock.advance(60_000);
  const whileDown = feed.reads.tails;
  assert.ok(whileDown < 30, `${whileDown} reads`);
  down = false;
  await world.clock.advance(5_000);
  const before = feed.reads.tails;
  await world.clock.advance(1_000);
  assert.ok(feed.reads.tails - before >= 9);
  await guard.close();
});

test("fault 34: after a suspension the age of the view follows the wall clock", async () => {
  const world = await makeFixture();
  const guard = world.guard({ revocations: world.log });
  await guard.ready();
  world.clock.suspend(120_000);
  const verdict = await guard.validate(world.mint.token());
  assert.ok(verdict.status === "unavailable" && verdict.cause === "revocations_stale");
  await world.clock.advance(250);
  assert.equal((await guard.validate(world.mint.token())).status, "valid");
  await guard.close();
});

test("a feed whose methods return plain values works", async () => {
  const world = await makeFixture();
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

test("a full view continues when its older revocations have expired", async () => {
  const world = await makeFixture();
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

test("closing aborts a hanging read without an event", async () => {
  const world = await makeFixture();
  const never = async () => await new Promise<never>(() => {});
  const guard = world.guard({ revocations: feedOf(world, { snapshot: never }), name: "closing" });
  const ready = assert.rejects(guard.ready({ timeoutMs: 600_000 }), { code: "closed" });
  await world.clock.advance(100);
  const events: unknown[] = [];
  const listen = (event: unknown) => void events.push(event);
  subscribe("holdfast:guard", listen);
  await guard.close();
  await ready;
  unsubscribe("holdfast:guard", listen);
  assert.equal(world.clock.pending, 0);
  assert.deepEqual(events, []);
});
