import assert from "node:assert/strict";
import { ABSOLUTE_MS, CONFLICT_MS, IDLE_MS, LOST_ANSWER_MS } from "./constants.ts";
import { acknowledge, digest, readLog, logIn, present } from "./fixtures.ts";
import type { Cases } from "./types.ts";

/** Tests of `SessionStore.rotate`. */
export const refreshCases: Cases = {
  "law 8: the current token is replaced by its successor": async ({ store, clock }) => {
    const before = await logIn(store, "s1");
    await clock.advance(5000);
    const outcome = await present(store, "s1", 1);
    assert.equal(outcome.outcome, "rotated");
    assert.deepEqual(outcome.session, {
      ...before,
      generation: 2,
      currentDigest: digest("s1", 2),
      previousDigest: digest("s1", 1),
      sealedSuccessor: "sealed s1/2",
      rotatedAt: before.authAt + 5000,
      lostAnswerEndsAt: before.authAt + 5000 + LOST_ANSWER_MS,
      previousArrivedAt: before.authAt + 5000,
      issuedAtS: before.issuedAtS + 5,
      idleExpiresAt: before.authAt + 5000 + IDLE_MS,
    });
    assert.deepEqual(await store.sessions.get("s1"), outcome.session);
  },

  "law 8: one of 100 concurrent presentations rotates, and the others get the same successor": async ({
    store,
  }) => {
    await logIn(store, "s1");
    const outcomes = await Promise.all(
      Array.from(
        { length: 100 },
        async (_, i) => await present(store, "s1", 1, { sealedSuccessor: `s${i}` }),
      ),
    );
    assert.equal(outcomes.filter((o) => o.outcome === "rotated").length, 1);
    const repeated = outcomes.filter((o) => o.outcome === "repeated");
    assert.equal(repeated.length, 99);
    const standing = (await store.sessions.get("s1"))?.sealedSuccessor;
    for (const { sealedSuccessor } of repeated) assert.equal(sealedSuccessor, standing);
  },

  "law 8: a token that is three generations old is always reuse": async ({ store }) => {
    await logIn(store, "s1");
    for (const generation of [1, 2, 3]) await present(store, "s1", generation);
    assert.equal((await present(store, "s1", 1)).outcome, "reuse");
  },

  "law 8: reuse ends exactly that session, appends the revocation and erases its digests": async ({
    store,
    clock,
  }) => {
    await logIn(store, "s1");
    await logIn(store, "s2");
    await present(store, "s1", 1);
    await acknowledge(store, "s1", 2);
    await clock.advance(CONFLICT_MS);
    const outcome = await present(store, "s1", 1);
    assert.equal(outcome.outcome, "reuse");
    const ended = await store.sessions.get("s1");
    assert.deepEqual(ended, outcome.session);
    assert.equal(ended?.endReason, "reuse");
    assert.equal(ended.endedAt, await store.now());
    assert.deepEqual([ended.currentDigest, ended.previousDigest, ended.sealedSuccessor], ["", null, null]);
    assert.deepEqual((await readLog(store)).kinds, ["session s1"]);
    assert.equal((await present(store, "s1", 2)).outcome, "ended");
    assert.equal((await present(store, "s2", 1)).outcome, "rotated");
  },

  "law 8: a digest that the session never had is refused as a fork, and changes nothing": async ({
    store,
  }) => {
    await logIn(store, "s1");
    await present(store, "s1", 1);
    const before = await store.sessions.get("s1");
    for (const generation of [1, 2]) {
      const outcome = await present(store, "s1", generation, { presentedDigest: "another" });
      assert.equal(outcome.outcome, "forked");
    }
    assert.equal((await present(store, "nobody", 1)).outcome, "unknown");
    assert.deepEqual(await store.sessions.get("s1"), before);
    assert.equal((await readLog(store)).seq, 0);
  },

  "law 2: a refresh extends the idle expiry, but never past the absolute expiry": async ({
    store,
    clock,
  }) => {
    const { authAt } = await logIn(store, "s1");
    await clock.advance(IDLE_MS - 1);
    assert.equal((await present(store, "s1", 1)).outcome, "rotated");
    await clock.advance(IDLE_MS - 1);
    const outcome = await present(store, "s1", 2);
    assert.equal(outcome.outcome, "rotated");
    assert.equal(outcome.session.idleExpiresAt, authAt + ABSOLUTE_MS);
    await clock.advance(2);
    assert.equal((await present(store, "s1", 3)).outcome, "ended");
  },

  "law 2: an idle session has ended, and its tokens are not reported as reuse": async ({ store, clock }) => {
    await logIn(store, "s1");
    for (const generation of [1, 2, 3]) await present(store, "s1", generation);
    await clock.advance(IDLE_MS);
    for (const generation of [1, 2, 3, 4, 5]) {
      assert.equal((await present(store, "s1", generation)).outcome, "ended");
    }
    assert.equal((await readLog(store)).seq, 0);
  },

  "repeats are counted over consecutive generations, once in each": async ({ store }) => {
    await logIn(store, "s1");
    const streak = async () => (await store.sessions.get("s1"))?.repeatStreak;
    for (const generation of [1, 2]) {
      await present(store, "s1", generation);
      assert.equal((await present(store, "s1", generation)).outcome, "repeated");
      assert.equal((await present(store, "s1", generation)).outcome, "repeated");
      assert.equal(await streak(), generation);
    }
    await present(store, "s1", 3);
    assert.equal(await streak(), 2, "the new generation may still have a repeat");
    await present(store, "s1", 4);
    assert.equal(await streak(), 0, "one generation had no repeat");
  },

  "law 2: a session keeps the idle time that it was created with": async ({ store, clock }) => {
    const authAt = await store.now();
    const facts = { id: "s1", subject: "alice", authAt, absoluteExpiresAt: authAt + ABSOLUTE_MS };
    const created = await store.sessions.create({
      ...facts,
      facts: "{}",
      mac: "mac",
      currentDigest: digest("s1", 1),
      idleMs: 60_000,
      mark: await store.sessions.mark(),
    });
    assert.equal(created.status === "created" && created.session.idleMs, 60_000);
    await clock.advance(59_999);
    const outcome = await present(store, "s1", 1);
    assert.equal(outcome.outcome, "rotated");
    assert.equal(outcome.session.idleExpiresAt, authAt + 59_999 + 60_000);
    await clock.advance(60_000);
    assert.equal((await present(store, "s1", 2)).outcome, "ended");
  },
};
