import assert from "node:assert/strict";
import { test } from "node:test";
import type { RevocationEntry } from "../../src/core/revocation.ts";
import { decideRotation, startSession } from "../../src/stores/refresh-rotation.ts";
import { EXPIRED_RETENTION_MS, pruneSession } from "../../src/stores/retention.ts";
import { nextEntry, pruneEntries } from "../../src/stores/revocation-log.ts";

const NOW = Date.UTC(2030, 0, 1);
const LOST_ANSWER_MS = 30_000;
const IDLE_MS = 100_000;

function rotatedSession() {
  const facts = {
    id: "s",
    subject: "alice",
    authAt: NOW,
    absoluteExpiresAt: NOW + 1e6,
    facts: "{}",
    mac: "mac",
  };
  const record = startSession({ ...facts, currentDigest: "d1", idleMs: IDLE_MS, mark: 0 }, NOW, null);
  const rotation = {
    sessionId: "s",
    generation: 1,
    presentedDigest: "d1",
    successorDigest: "d2",
    sealedSuccessor: "sealed d2",
    issuedAt: NOW,
    expiresAt: NOW + IDLE_MS,
    lostAnswerMs: LOST_ANSWER_MS,
    conflictMs: 10_000,
    onReuse: { kind: "session", id: "s", issuer: "i", until: NOW + 1e6 },
  } as const;
  const decided = decideRotation(record, rotation, NOW);
  assert.equal(decided.outcome, "rotated");
  return decided.session;
}

test("pruneSession keeps the sealed successor for `lostAnswerMs`, and then erases it", () => {
  const session = rotatedSession();
  assert.equal(pruneSession(session, NOW + LOST_ANSWER_MS - 1), session);
  assert.deepEqual(pruneSession(session, NOW + LOST_ANSWER_MS), { ...session, sealedSuccessor: null });
});

test("pruneSession erases a session a day after it expired, and not earlier", () => {
  const session = rotatedSession();
  const erasedAt = NOW + IDLE_MS + EXPIRED_RETENTION_MS;
  assert.notEqual(pruneSession(session, erasedAt - 1), null);
  assert.equal(pruneSession(session, erasedAt), null);
});

test("pruneEntries trims only expired entries at the head, and keeps the newest entry", () => {
  const log: RevocationEntry[] = [];
  const untils = [NOW, NOW + 2, NOW + 1, NOW + 2];
  for (const [i, until] of untils.entries()) {
    log.push(nextEntry(log.at(-1) ?? null, NOW, { kind: "token", id: `t${i}`, issuer: "i", until }));
  }
  const seqsAt = (nowMs: number) => pruneEntries(log, nowMs + EXPIRED_RETENTION_MS).map(({ seq }) => seq);
  assert.deepEqual(seqsAt(NOW - 1), [1, 2, 3, 4]);
  assert.deepEqual(seqsAt(NOW), [2, 3, 4]);
  assert.deepEqual(seqsAt(NOW + 1), [2, 3, 4]);
  assert.deepEqual(seqsAt(NOW + 2), [4]);
  assert.deepEqual(pruneEntries([], NOW), []);
});
