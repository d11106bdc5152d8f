import assert from "node:assert/strict";
import type { RotationOutcome } from "../session-store.ts";
import { CONFLICT_MS, IDLE_MS, LOST_ANSWER_MS } from "./constants.ts";
import { acknowledge, digest, logIn, present, readLog } from "./fixtures.ts";
import type { Cases } from "./types.ts";

const SECOND = 1000;
const HOUR = 3_600_000;

function sealedIn(outcome: RotationOutcome): string | null {
  return outcome.outcome === "repeated" ? outcome.sealedSuccessor : null;
}

/** Tests of lost answers, of signs of arrival, and of a store that went back. */
export const lostAnswerCases: Cases = {
  "law 8, fault 63: a lost answer is repeated after 1 s, 45 s, 8 h and 23 h with the same successor": async ({
    store,
    clock,
  }) => {
    await logIn(store, "s1");
    await present(store, "s1", 1);
    let waited = 0;
    for (const ms of [SECOND, 45 * SECOND, 8 * HOUR, 23 * HOUR, LOST_ANSWER_MS - 1]) {
      await clock.advance(ms - waited);
      waited = ms;
      const outcome = await present(store, "s1", 1, { sealedSuccessor: "another" });
      assert.equal(sealedIn(outcome), "sealed s1/2", `after ${ms} ms`);
      assert.equal(outcome.outcome === "repeated" && outcome.behindMs, ms);
    }
    assert.equal((await present(store, "s1", 2)).outcome, "rotated");
  },

  "law 8: after `lostAnswerMs` the presented token is refused, and nothing is revoked": async ({
    store,
    clock,
  }) => {
    await logIn(store, "s1");
    await present(store, "s1", 1);
    await clock.advance(LOST_ANSWER_MS);
    const before = await store.sessions.get("s1");
    assert.equal((await present(store, "s1", 1)).outcome, "late");
    assert.deepEqual(await store.sessions.get("s1"), before);
    assert.equal((await readLog(store)).seq, 0);
    assert.equal((await present(store, "s1", 2)).outcome, "rotated");
  },

  "law 8: with a `lostAnswerMs` of 0 no answer is repeated, and nothing is revoked": async ({ store }) => {
    await logIn(store, "s1");
    await present(store, "s1", 1, { lostAnswerMs: 0 });
    assert.equal((await present(store, "s1", 1, { lostAnswerMs: 0 })).outcome, "late");
    assert.equal((await readLog(store)).seq, 0);
    assert.equal((await present(store, "s1", 2, { lostAnswerMs: 0 })).outcome, "rotated");
  },

  "law 8: no presentation extends the time of a lost answer": async ({ store, clock }) => {
    await logIn(store, "s1");
    await present(store, "s1", 1);
    await clock.advance(LOST_ANSWER_MS - 1);
    assert.equal((await present(store, "s1", 1, { lostAnswerMs: IDLE_MS })).outcome, "repeated");
    await clock.advance(1);
    assert.equal((await present(store, "s1", 1, { lostAnswerMs: IDLE_MS })).outcome, "late");
  },

  "law 8: a repeated answer gets the current `iat`": async ({ store, clock }) => {
    const { issuedAtS } = await logIn(store, "s1");
    await present(store, "s1", 1);
    await clock.advance(45 * SECOND);
    const outcome = await present(store, "s1", 1);
    assert.equal(outcome.outcome === "repeated" && outcome.session.issuedAtS, issuedAtS + 45);
    assert.equal((await store.sessions.get("s1"))?.issuedAtS, issuedAtS + 45);
  },

  "law 8: an acknowledged successor erases its sealed copy, and acknowledging again changes nothing": async ({
    store,
    clock,
  }) => {
    await logIn(store, "s1");
    await present(store, "s1", 1);
    await clock.advance(SECOND);
    assert.equal(await acknowledge(store, "s1", 2), "acknowledged");
    const after = await store.sessions.get("s1");
    assert.equal(after?.sealedSuccessor, null);
    assert.equal(after.arrivedAt, await store.now());
    await clock.advance(SECOND);
    assert.equal(await acknowledge(store, "s1", 2), "unchanged");
    assert.deepEqual(await store.sessions.get("s1"), after);
  },

  "law 8: after the acknowledgement the spent token is a conflict at once, and reuse after `conflictMs`":
    async ({ store, clock }) => {
      await logIn(store, "s1");
      await present(store, "s1", 1);
      // The time does not count from the rotation.
      await clock.advance(8 * HOUR);
      await acknowledge(store, "s1", 2);
      const before = await store.sessions.get("s1");
      assert.equal((await present(store, "s1", 1)).outcome, "conflict");
      await clock.advance(CONFLICT_MS - 1);
      assert.equal((await present(store, "s1", 1)).outcome, "conflict");
      assert.deepEqual(await store.sessions.get("s1"), before);
      await clock.advance(1);
      assert.equal((await present(store, "s1", 1)).outcome, "reuse");
      assert.deepEqual((await readLog(store)).kinds, ["session s1"]);
    },

  "law 8: a long `lostAnswerMs` does not delay the finding of a thief who comes after the acknowledgement":
    async ({ store, clock }) => {
      await logIn(store, "s1");
      await present(store, "s1", 1, { lostAnswerMs: IDLE_MS });
      await acknowledge(store, "s1", 2);
      await clock.advance(31 * SECOND);
      assert.equal((await present(store, "s1", 1, { lostAnswerMs: IDLE_MS })).outcome, "reuse");
    },

  "law 8: a refresh with the successor is a sign of arrival": async ({ store, clock }) => {
    await logIn(store, "s1");
    await present(store, "s1", 1);
    await clock.advance(8 * HOUR);
    await present(store, "s1", 2);
    assert.equal((await present(store, "s1", 1)).outcome, "conflict", "two generations behind");
    await clock.advance(CONFLICT_MS - 1);
    assert.equal((await present(store, "s1", 1)).outcome, "conflict");
    assert.equal((await present(store, "s1", 2)).outcome, "repeated", "its own successor did not arrive");
    await clock.advance(1);
    assert.equal((await present(store, "s1", 1)).outcome, "reuse");
  },

  "law 8: a token two generations back keeps the time of its own sign of arrival": async ({
    store,
    clock,
  }) => {
    await logIn(store, "s1");
    await present(store, "s1", 1);
    await acknowledge(store, "s1", 2);
    await clock.advance(CONFLICT_MS - 1);
    await present(store, "s1", 2);
    assert.equal((await present(store, "s1", 1)).outcome, "conflict");
    await clock.advance(1);
    assert.equal((await present(store, "s1", 1)).outcome, "reuse");
  },

  "law 8: an access token is a sign of arrival without a digest": async ({ store }) => {
    await logIn(store, "s1");
    await present(store, "s1", 1);
    assert.equal(await acknowledge(store, "s1", 2, null), "acknowledged");
    assert.equal((await present(store, "s1", 1)).outcome, "conflict");
  },

  "law 8: acknowledging another generation, digest or session changes nothing": async ({ store }) => {
    await logIn(store, "s1");
    assert.equal(await acknowledge(store, "s1", 1), "unchanged", "the first token has no predecessor");
    await present(store, "s1", 1);
    const before = await store.sessions.get("s1");
    for (const generation of [0, 1, 3]) {
      assert.equal(await acknowledge(store, "s1", generation), "unchanged");
      assert.equal(await acknowledge(store, "s1", generation, null), "unchanged");
    }
    assert.equal(await acknowledge(store, "s1", 2, digest("s1", 1)), "unchanged");
    assert.equal(await acknowledge(store, "nobody", 2), "unchanged");
    assert.deepEqual(await store.sessions.get("s1"), before);
    assert.equal((await present(store, "s1", 1)).outcome, "repeated");
  },

  "law 8: an acknowledgement does not revive an ended or expired session": async ({ store, clock }) => {
    for (const id of ["s1", "s2"]) {
      await logIn(store, id);
      await present(store, id, 1);
    }
    const until = (await store.now()) + HOUR;
    await store.sessions.end("s1", "logout", { kind: "session", id: "s1", issuer: "i", until });
    const before = await store.sessions.get("s1");
    assert.equal(await acknowledge(store, "s1", 2, null), "unchanged");
    assert.deepEqual(await store.sessions.get("s1"), before);
    await clock.advance(IDLE_MS);
    assert.equal(await acknowledge(store, "s2", 2), "unchanged");
    assert.equal((await present(store, "s2", 1)).outcome, "ended");
  },

  "law 8: an acknowledgement that races a repeat leaves one successor, in either order": async ({
    store,
  }) => {
    for (const [id, isFirst] of [
      ["s1", true],
      ["s2", false],
    ] as const) {
      await logIn(store, id);
      await present(store, id, 1);
      const repeats = async () =>
        await Promise.all(Array.from({ length: 5 }, async () => await present(store, id, 1)));
      const order = isFirst ? [acknowledge(store, id, 2), repeats()] : [repeats(), acknowledge(store, id, 2)];
      const outcomes = (await Promise.all<unknown>(order)).flat();
      for (const outcome of outcomes as (string | RotationOutcome)[]) {
        if (typeof outcome === "string") assert.equal(outcome, "acknowledged");
        else if (outcome.outcome !== "conflict") assert.equal(sealedIn(outcome), `sealed ${id}/2`);
      }
      assert.equal((await present(store, id, 1)).outcome, "conflict");
      assert.equal((await present(store, id, 2)).outcome, "rotated");
      assert.equal((await store.sessions.get(id))?.generation, 3);
    }
  },

  "law 8, fault 64: a token ahead of the store continues the session from there": async ({
    store,
    clock,
  }) => {
    const { authAt } = await logIn(store, "s1");
    await clock.advance(SECOND);
    const outcome = await present(store, "s1", 5);
    assert.equal(outcome.outcome, "resumed");
    const now = authAt + SECOND;
    const { generation, previousDigest, currentDigest, rolledBackAt, arrivedAt } = outcome.session;
    assert.deepEqual(
      [generation, previousDigest, currentDigest, rolledBackAt, arrivedAt],
      [6, digest("s1", 5), digest("s1", 6), now, null],
    );
    assert.deepEqual(await store.sessions.get("s1"), outcome.session);
    assert.equal(sealedIn(await present(store, "s1", 5)), "sealed s1/6");
    assert.equal((await present(store, "s1", 4)).outcome, "conflict");
    assert.equal((await present(store, "s1", 6)).outcome, "rotated");
  },

  "law 8, fault 64: an old token from before the rollback is refused, and nothing is revoked": async ({
    store,
    clock,
  }) => {
    const { authAt } = await logIn(store, "s1");
    await clock.advance(HOUR);
    await present(store, "s1", 5);
    await clock.advance(HOUR);
    assert.equal((await present(store, "s1", 2, { issuedAt: authAt })).outcome, "forked");
    assert.equal((await present(store, "s1", 6, { issuedAt: authAt + HOUR })).outcome, "rotated");
    await present(store, "s1", 7, { issuedAt: authAt + 2 * HOUR });
    await clock.advance(HOUR);
    const later = await present(store, "s1", 6, { issuedAt: authAt + HOUR + SECOND });
    assert.equal(later.outcome, "reuse", "a token from after the rollback is still proof");
  },

  "law 8, fault 64: a token ahead of the store counts with its own idle expiry": async ({ store, clock }) => {
    for (const id of ["s1", "s2", "s3"]) await logIn(store, id);
    await clock.advance(IDLE_MS);
    const now = await store.now();
    assert.equal((await present(store, "s1", 4, { expiresAt: now + 1 })).outcome, "resumed");
    assert.equal((await present(store, "s2", 4, { expiresAt: now })).outcome, "ended");
    assert.equal((await present(store, "s3", 1, { expiresAt: now + 1 })).outcome, "ended");
  },

  "law 3: a token ahead of the store does not revive an ended session": async ({ store }) => {
    await logIn(store, "s1");
    const until = (await store.now()) + HOUR;
    await store.sessions.end("s1", "logout", { kind: "session", id: "s1", issuer: "i", until });
    const before = await store.sessions.get("s1");
    assert.equal((await present(store, "s1", 4, { expiresAt: until })).outcome, "ended");
    assert.deepEqual(await store.sessions.get("s1"), before);
  },
};
