import assert from "node:assert/strict";
import { test } from "node:test";
import type { NewSession, Rotation, SessionRecord } from "../../src/stores/session-store.ts";
import { acknowledgeSuccessor, decideRotation, startSession } from "../../src/stores/refresh-rotation.ts";

const NOW = Date.UTC(2030, 0, 1);

const session: NewSession = {
  id: "s",
  subject: "alice",
  authAt: NOW,
  absoluteExpiresAt: NOW + 1_000_000,
  facts: "{}",
  mac: "mac",
  currentDigest: "d1",
  idleMs: 100_000,
  mark: 5,
};

function presented(generation: number): Rotation {
  return {
    sessionId: "s",
    generation,
    presentedDigest: `d${generation}`,
    successorDigest: `d${generation + 1}`,
    sealedSuccessor: `sealed d${generation + 1}`,
    issuedAt: NOW,
    expiresAt: NOW + 100_000,
    lostAnswerMs: 80_000,
    conflictMs: 30_000,
    onReuse: { kind: "session", id: "s", issuer: "i", until: NOW + 1_000_000 },
  };
}

function started(): SessionRecord {
  const record = startSession(session, NOW, null);
  assert.ok(record);
  return record;
}

function rotatedOnce(): SessionRecord {
  const decided = decideRotation(started(), presented(1), NOW);
  assert.equal(decided.outcome, "rotated");
  return decided.session;
}

test("law 3: a session whose credentials were checked before the cut-off of its subject does not start", () => {
  const cutoff = { at: NOW, before: NOW / 1000 + 1, number: 6 };
  assert.equal(startSession(session, NOW + 1, cutoff), null);
});

test("a session from after the cut-off gets an `iat` of its own time, which the cut-off may cover", () => {
  const cutoff = { at: NOW - 1, before: NOW / 1000 + 1, number: 5 };
  assert.equal(startSession(session, NOW, cutoff)?.issuedAtS, NOW / 1000);
});

test("law 8: a clock set back into the time of a lost answer whose successor is erased causes a conflict and no revocation", () => {
  const record: SessionRecord = { ...rotatedOnce(), sealedSuccessor: null };
  assert.deepEqual(decideRotation(record, presented(1), NOW + 1), {
    outcome: "conflict",
    session: record,
  });
});

test("law 8: decideRotation does not change the record it is given", () => {
  const record = Object.freeze(rotatedOnce());
  for (const generation of [0, 1, 2, 3]) {
    for (const nowMs of [NOW, NOW + 30_000, NOW + 100_000]) {
      decideRotation(record, presented(generation), nowMs);
    }
  }
});

test("law 8: a clock that is set back turns no repeat and no conflict into reuse", () => {
  const rotated = rotatedOnce();
  assert.equal(decideRotation(rotated, presented(1), NOW - 1_000_000).outcome, "repeated");
  const sign = { sessionId: "s", generation: 2, digest: "d2" };
  const arrived = acknowledgeSuccessor(rotated, sign, NOW + 1000);
  assert.ok(arrived);
  assert.equal(decideRotation(arrived, presented(1), NOW - 1_000_000).outcome, "conflict");
  const third = decideRotation(arrived, presented(2), NOW - 1_000_000);
  assert.equal(third.outcome, "rotated");
  assert.equal(decideRotation(third.session, presented(1), NOW - 1_000_000).outcome, "conflict");
});

test("law 8, fault 64: after a rollback, spent tokens of the lost branch are refused and revoke nothing", () => {
  const resumed = decideRotation(rotatedOnce(), presented(7), NOW);
  assert.equal(resumed.outcome, "resumed");
  assert.deepEqual(
    [3, 5, 6, 7, 8].map((generation) => {
      return decideRotation(resumed.session, { ...presented(generation), issuedAt: NOW - 1 }, NOW + 60_000)
        .outcome;
    }),
    ["forked", "forked", "forked", "repeated", "rotated"],
  );
});
