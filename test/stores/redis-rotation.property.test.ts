import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import { createClient } from "redis";
import { ISSUER } from "../../src/stores/conformance/constants.ts";
import { logIn } from "../../src/stores/conformance/fixtures.ts";
import type { Rotation, SessionRecord } from "../../src/stores/session-store.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { redisStore } from "../../src/stores/redis.ts";
import { decideRotation, endSession } from "../../src/stores/refresh-rotation.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";
import { noRedis, RedisServer } from "../support/redis-servers.ts";
import { applyStep, steps } from "./session-steps.ts";

const NOW = Date.UTC(2030, 0, 1);

const digest = fc.constantFrom("d1", "d2", "d3", "");
/** Often exactly at the boundary of a decision. */
const moment = fc.oneof(
  fc.constantFrom(NOW - 1, NOW, NOW + 1),
  fc.integer({ min: NOW - 100_000, max: NOW + 100_000 }),
);
const state = fc.record({
  generation: fc.integer({ min: 1, max: 5 }),
  currentDigest: digest,
  previousDigest: fc.option(digest),
  sealedSuccessor: fc.option(fc.string({ unit: "binary", minLength: 1 })),
  rotatedAt: moment,
  graceEndsAt: fc.option(moment),
  olderGraceEndsAt: fc.option(moment),
  issuedAtS: fc.integer({ min: NOW / 1000 - 10, max: NOW / 1000 + 10 }),
  idleExpiresAt: moment,
  absoluteExpiresAt: moment,
  graceStreak: fc.integer({ min: 0, max: 9 }),
  graceHit: fc.boolean(),
  endedAt: fc.option(moment, { freq: 1 }),
});
const rotation = fc.record({
  generation: fc.integer({ min: 0, max: 6 }),
  presentedDigest: digest,
  successorDigest: fc.string({ unit: "binary" }),
  sealedSuccessor: fc.string({ unit: "binary" }),
  idleMs: fc.integer({ min: 1, max: 200_000 }),
  graceMs: fc.integer({ min: 0, max: 100_000 }),
});

void describe("rotation on Redis", { skip: noRedis }, () => {
  let server: RedisServer;
  before(async () => (server = await RedisServer.start(["appendfsync no"])));
  after(async () => await server.stop());

  void test("law 8: the script decides like decideRotation on any record", async (t) => {
    const clock = new FakeClock(NOW);
    const store = await redisStore({ url: server.url, clock, durability: "unchecked" });
    const raw = await createClient({ url: server.url, RESP: 2 }).connect();
    t.after(async () => {
      raw.destroy();
      await store.close();
    });
    let n = 0;
    await fc.assert(
      fc.asyncProperty(
        state,
        rotation,
        async ({ sealedSuccessor, absoluteExpiresAt, ...changing }, asked) => {
          const id = `s${n++}`;
          const facts = { id, subject: id, authAt: NOW - 1, absoluteExpiresAt, facts: "{}", mac: "m" };
          const endReason = changing.endedAt === null ? null : ("logout" as const);
          const record: SessionRecord = { ...facts, ...changing, sealedSuccessor, endReason };
          const key = `holdfast:{session:${id}}`;
          const stateText = JSON.stringify({ ...changing, endReason, absoluteExpiresAt });
          await raw.hSet(key, { fixed: JSON.stringify(facts), state: stateText });
          if (sealedSuccessor !== null) await raw.set(`${key}:successor`, sealedSuccessor);

          const onReuse = { kind: "session", id, issuer: ISSUER, until: NOW + 1 } as const;
          const presented: Rotation = { sessionId: id, ...asked, onReuse };
          const expected = decideRotation(record, presented, NOW, null);
          const outcome = await store.sessions.rotate(presented);
          assert.equal(outcome.outcome, expected.outcome);
          if (outcome.outcome === "repeated" && expected.outcome === "repeated") {
            assert.equal(outcome.sealedSuccessor, expected.sealedSuccessor);
          }
          const left = expected.outcome === "unknown" ? record : expected.session;
          const standing = await store.sessions.get(id);
          // After grace the successor must not be visible, whether or not it is erased yet.
          const inGrace = left.graceEndsAt !== null && NOW < left.graceEndsAt;
          assert.deepEqual(standing, { ...left, sealedSuccessor: inGrace ? left.sealedSuccessor : null });
          if (outcome.outcome === "reuse") assert.deepEqual(standing, endSession(record, "reuse", NOW));
        },
      ),
      { numRuns: 2000 },
    );
  });

  void test("law 8: Redis and SQLite give the same answers to any sequence of commands", async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (sequence) => {
        const clocks = [new FakeClock(), new FakeClock()] as const;
        const prefix = `${randomBytes(6).toString("hex")}:`;
        const options = { url: server.url, clock: clocks[1], prefix, durability: "unchecked" } as const;
        const stores = [memoryStore({ clock: clocks[0] }), await redisStore(options)] as const;
        try {
          for (const store of stores) await logIn(store, "s");
          for (const step of sequence) {
            const seen = [
              await applyStep(step, stores[0], clocks[0]),
              await applyStep(step, stores[1], clocks[1]),
            ];
            assert.deepEqual(seen[1], seen[0]);
            const [one, other] = await Promise.all(
              stores.map(async (store) => await store.sessions.get("s")),
            );
            const now = clocks[0].now();
            const inGrace = (one?.graceEndsAt ?? 0) > now;
            assert.deepEqual(other, one && { ...one, sealedSuccessor: inGrace ? one.sealedSuccessor : null });
            const logs = await Promise.all(stores.map(async (store) => await store.revocations.snapshot()));
            const revoked = logs.map(({ entries }) => entries.map((entry) => entry.revocation));
            assert.deepEqual(revoked[1], revoked[0]);
          }
        } finally {
          for (const store of stores) await store.close();
        }
      }),
      { numRuns: 100 },
    );
  });
});
