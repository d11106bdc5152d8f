import assert from "node:assert/strict";
import { test } from "node:test";
import { advanceCutoff, isCutOff } from "../../src/stores/cutoff.ts";
import { startSession } from "../../src/stores/refresh-rotation.ts";
import type { SessionRecord } from "../../src/stores/session-store.ts";

const NOW = Date.UTC(2030, 0, 1);

function makeSession(authAt: number, issuedAtS = 0): SessionRecord {
  const facts = { id: "s", subject: "alice", authAt, absoluteExpiresAt: NOW + 1e6, facts: "{}", mac: "mac" };
  const record = startSession({ ...facts, currentDigest: "d1", idleMs: 1e5 }, NOW, null);
  assert.ok(record);
  return { ...record, issuedAtS };
}

test("law 3: the first cut-off is now, and its seconds are rounded up", () => {
  const cutoff = advanceCutoff(null, { before: 0, sessions: [], nowMs: NOW + 1 });
  assert.deepEqual(cutoff, { at: NOW + 1, before: NOW / 1000 + 1 });
});

test("law 3: a cut-off covers the newest `iat` of every session and the `before` of the revocation", () => {
  const sessions = [makeSession(NOW, NOW / 1000 + 7), makeSession(NOW, NOW / 1000 + 5)];
  assert.equal(advanceCutoff(null, { before: 0, sessions, nowMs: NOW }).before, NOW / 1000 + 7);
  const later = { before: NOW / 1000 + 9, sessions, nowMs: NOW };
  assert.equal(advanceCutoff(null, later).before, NOW / 1000 + 9);
});

test("law 3: a clock that is set back does not lower a cut-off", () => {
  const last = { at: NOW, before: NOW / 1000 };
  assert.deepEqual(advanceCutoff(last, { before: 0, sessions: [], nowMs: NOW - 60_000 }), last);
});

test("law 3: a session is cut off when its credentials were checked at the cut-off or before", () => {
  const cutoff = { at: NOW - 1, before: NOW / 1000 };
  assert.equal(isCutOff(makeSession(NOW - 1), cutoff), true);
  assert.equal(isCutOff(makeSession(NOW), cutoff), false);
  assert.equal(isCutOff(makeSession(NOW), null), false);
});
