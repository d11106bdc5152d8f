import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import { createClient } from "redis";
import { isHoldfastError } from "../../src/core/errors.ts";
import { ISSUER } from "../../src/stores/conformance/constants.ts";
import { acknowledge, logIn, present } from "../../src/stores/conformance/fixtures.ts";
import type { Rotation, SessionRecord } from "../../src/stores/session-store.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { redisStore } from "../../src/stores/redis.ts";
import { EXPIRED_RETENTION_MS } from "../../src/stores/retention.ts";
import { formatSession } from "../../src/stores/redis/session-text.ts";
import { acknowledgeSuccessor, decideRotation, endSession } from "../../src/stores/refresh-rotation.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";
import { noRedis, RedisServer } from "../support/redis-servers.ts";
import { applyStep, steps } from "./session-steps.ts";
import { examples } from "../support/examples.ts";

type StateOf<A> = A extends fc.Arbitrary<infer T> ? T : never;

const NOW = Date.UTC(2030, 0, 1);

const digest = fc.constantFrom("d1", "d2", "d3", "dü");
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
  lostAnswerEndsAt: fc.option(moment),
  arrivedAt: fc.option(moment),
  previousArrivedAt: fc.option(moment),
  rolledBackAt: fc.option(moment),
  issuedAtS: fc.integer({ min: NOW / 1000 - 10, max: NOW / 1000 + 10 }),
  idleMs: fc.integer({ min: 1, max: 200_000 }),
  idleExpiresAt: moment,
  absoluteExpiresAt: moment,
  repeatStreak: fc.integer({ min: 0, max: 9 }),
  wasRepeated: fc.boolean(),
  endedAt: fc.option(moment, { freq: 1 }),
});
const rotation = fc.record({
  generation: fc.integer({ min: 0, max: 6 }),
  presentedDigest: digest,
  issuedAt: fc.option(moment),
  expiresAt: fc.option(moment),
  successorDigest: fc.string({ unit: "binary", minLength: 1 }),
  sealedSuccessor: fc.string({ unit: "binary", minLength: 1 }),
  lostAnswerMs: fc.integer({ min: 0, max: 100_000 }),
  conflictMs: fc.integer({ min: 0, max: 100_000 }),
});

function recordOf(id: string, { absoluteExpiresAt, ...changing }: StateOf<typeof state>): SessionRecord {
  const facts = { id, subject: id, authAt: NOW - 1, absoluteExpiresAt, facts: `{"device":"ü"}`, mac: "m" };
  return { ...facts, ...changing, endReason: changing.endedAt === null ? null : "logout" };
}

/**
 * After `lostAnswerEndsAt` the sealed successor is not visible on Redis, whether or not it is erased yet. A day after its
 * end the session is not visible.
 */
function visible(record: SessionRecord, now: number): SessionRecord | null {
  if (record.idleExpiresAt <= now - EXPIRED_RETENTION_MS) return null;
  return now < (record.lostAnswerEndsAt ?? 0) ? record : { ...record, sealedSuccessor: null };
}

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
      fc.asyncProperty(state, rotation, async (changing, asked) => {
        const id = `s${n++}`;
        const record = recordOf(id, changing);
        await raw.set(`holdfast:{session:${id}}`, formatSession(record));

        const onReuse = { kind: "session", id, issuer: ISSUER, until: NOW + 1 } as const;
        const presented: Rotation = { sessionId: id, ...asked, onReuse };
        const expected = decideRotation(record, presented, NOW);
        const outcome = await store.sessions.rotate(presented);
        assert.equal(outcome.outcome, expected.outcome);
        if (outcome.outcome === "repeated" && expected.outcome === "repeated") {
          assert.equal(outcome.sealedSuccessor, expected.sealedSuccessor);
          assert.equal(outcome.behindMs, expected.behindMs);
        }
        const left = expected.outcome === "unknown" ? record : expected.session;
        const standing = await store.sessions.get(id);
        assert.deepEqual(standing, visible(left, NOW));
        if (outcome.outcome === "reuse") assert.deepEqual(standing, endSession(record, "reuse", NOW));
      }),
      { numRuns: examples(2000) },
    );
  });

  void test("law 8: the script acknowledges like acknowledgeSuccessor on any record", async (t) => {
    const store = await redisStore({ url: server.url, clock: new FakeClock(NOW), durability: "unchecked" });
    const raw = await createClient({ url: server.url, RESP: 2 }).connect();
    t.after(async () => {
      raw.destroy();
      await store.close();
    });
    const sign = fc.record({ generation: fc.integer({ min: 0, max: 6 }), digest: fc.option(digest) });
    let n = 0;
    await fc.assert(
      fc.asyncProperty(state, sign, async (changing, asked) => {
        const record = recordOf(`a${n++}`, changing);
        await raw.set(`holdfast:{session:${record.id}}`, formatSession(record));
        const expected = acknowledgeSuccessor(record, { sessionId: record.id, ...asked }, NOW);
        const answer = await store.sessions.acknowledge({ sessionId: record.id, ...asked });
        assert.equal(answer, expected === null ? "unchanged" : "acknowledged");
        assert.deepEqual(await store.sessions.get(record.id), visible(expected ?? record, NOW));
      }),
      { numRuns: examples(1000) },
    );
  });

  void test("law 8: a session that an older version stored keeps its rights", async (t) => {
    const store = await redisStore({ url: server.url, clock: new FakeClock(NOW), durability: "unchecked" });
    const raw = await createClient({ url: server.url, RESP: 2 }).connect();
    t.after(async () => {
      raw.destroy();
      await store.close();
    });
    let n = 0;
    await fc.assert(
      fc.asyncProperty(state, rotation, fc.option(moment), async (changing, asked, olderGraceEndsAt) => {
        const { rotatedAt, lostAnswerEndsAt, idleExpiresAt, absoluteExpiresAt } = changing;
        const record: SessionRecord = {
          ...recordOf(`h${n++}`, changing),
          idleMs: Math.max(1, idleExpiresAt - rotatedAt),
          arrivedAt: null,
          previousArrivedAt: olderGraceEndsAt && Math.max(rotatedAt, olderGraceEndsAt - 30_000),
          rolledBackAt: null,
        };
        const { id, subject, authAt, facts, mac, sealedSuccessor, repeatStreak, wasRepeated } = record;
        const { generation, currentDigest, previousDigest, issuedAtS, endedAt, endReason } = record;
        const key = `holdfast:{session:${id}}`;
        const old = {
          generation,
          currentDigest,
          previousDigest,
          rotatedAt,
          issuedAtS,
          idleExpiresAt,
          endedAt,
        };
        const grace = { graceEndsAt: lostAnswerEndsAt, olderGraceEndsAt };
        const streak = { graceStreak: repeatStreak, graceHit: wasRepeated };
        await raw.hSet(key, {
          fixed: JSON.stringify({ id, subject, authAt, absoluteExpiresAt, facts, mac }),
          state: JSON.stringify({ ...old, ...grace, ...streak, endReason, absoluteExpiresAt }),
        });
        if (sealedSuccessor !== null) await raw.set(`${key}:successor`, sealedSuccessor);
        assert.deepEqual(await store.sessions.get(id), visible(record, NOW));

        const onReuse = { kind: "session", id, issuer: ISSUER, until: NOW + 1 } as const;
        const presented: Rotation = { sessionId: id, ...asked, onReuse };
        const expected = decideRotation(record, presented, NOW);
        const outcome = await store.sessions.rotate(presented);
        assert.equal(outcome.outcome, expected.outcome);
        const left = expected.outcome === "unknown" ? record : expected.session;
        assert.deepEqual(await store.sessions.get(id), visible(left, NOW));
        assert.equal(await raw.type(key), "string");
        assert.equal(await raw.exists(`${key}:successor`), 0);
      }),
      { numRuns: examples(1000) },
    );
  });

  void test("law 8: an acknowledgement that races repeats over two connections leaves one successor", async (t) => {
    const options = { url: server.url, durability: "unchecked" } as const;
    const stores = [await redisStore(options), await redisStore(options)] as const;
    t.after(async () => {
      for (const store of stores) await store.close();
    });
    const [one, two] = stores;
    for (let round = 0; round < 10; round++) {
      const id = `race${round}`;
      await logIn(one, id);
      await present(one, id, 1);
      const repeats = Array.from(
        { length: 8 },
        async (_, i) => await present(i % 2 === 0 ? one : two, id, 1),
      );
      const signs = await Promise.all(stores.map(async (store) => await acknowledge(store, id, 2)));
      assert.deepEqual(signs.toSorted(), ["acknowledged", "unchanged"]);
      for (const outcome of await Promise.all(repeats)) {
        if (outcome.outcome === "conflict") continue;
        assert.equal(outcome.outcome === "repeated" && outcome.sealedSuccessor, `sealed ${id}/2`);
      }
      assert.equal((await present(two, id, 1)).outcome, "conflict");
      assert.equal((await present(one, id, 2)).outcome, "rotated");
    }
  });

  void test("fault 71: a session of a newer version is refused by name, and unchanged", async (t) => {
    const store = await redisStore({ url: server.url, durability: "unchecked" });
    const raw = await createClient({ url: server.url, RESP: 2 }).connect();
    t.after(async () => {
      raw.destroy();
      await store.close();
    });
    await raw.set("holdfast:{session:newer}", "9 of another form");
    const revocation = { kind: "session", id: "newer", issuer: ISSUER, until: NOW + 1 } as const;
    const calls = [
      async () => await store.sessions.get("newer"),
      async () => await present(store, "newer", 1),
      async () => await store.sessions.acknowledge({ sessionId: "newer", generation: 2, digest: null }),
      async () => await store.sessions.end("newer", "logout", revocation),
      async () => await logIn(store, "newer"),
    ];
    for (const call of calls) {
      await assert.rejects(call(), (error) => isHoldfastError(error, "store_newer"));
    }
    assert.equal(await raw.get("holdfast:{session:newer}"), "9 of another form");
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
            assert.deepEqual(other, one && visible(one, now));
            const logs = await Promise.all(stores.map(async (store) => await store.revocations.snapshot()));
            // The numbers of cut-offs are compared within one store only.
            const revoked = logs.map(({ entries }) =>
              entries.map(({ revocation }) => ({ ...revocation, number: null })),
            );
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
