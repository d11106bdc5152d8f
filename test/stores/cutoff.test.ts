import assert from "node:assert/strict";
import { test } from "node:test";
import { advanceCutoff, isCutOff } from "../../src/stores/cutoff.ts";
import { startSession } from "../../src/stores/refresh-rotation.ts";
import type { SessionRecord } from "../../src/stores/session-store.ts";

const NOW = Date.UTC(2030, 0, 1);

function makeSession(authAt: number, issuedAtS = 0): SessionRecord {
  const facts = { id: "s", subject: "alice", authAt, absoluteExpiresAt: NOW + 1e6, facts: "{}", mac: "mac" };
  const record = startSession({ ...facts, currentDigest: "d1", idleMs: 1e5, mark: 0 }, NOW, null);
  assert.ok(record);
  return { ...record, issuedAtS };
}

const nothing = { before: 0, sessions: [], lastNumber: 0 };

test("law 3: the first cut-off is now, and its seconds are rounded up", () => {
  const cutoff = advanceCutoff(null, { ...nothing, nowMs: NOW + 1 });
  assert.deepEqual(cutoff, { at: NOW + 1, before: NOW / 1000 + 1, number: NOW + 1 });
});

test("law 3: a cut-off covers the newest `iat` of every session and the `before` of the revocation", () => {
  const sessions = [makeSession(NOW, NOW / 1000 + 7), makeSession(NOW, NOW / 1000 + 5)];
  assert.equal(advanceCutoff(null, { ...nothing, sessions, nowMs: NOW }).before, NOW / 1000 + 7);
  const later = { ...nothing, before: NOW / 1000 + 9, sessions, nowMs: NOW };
  assert.equal(advanceCutoff(null, later).before, NOW / 1000 + 9);
});

test("law 3: a clock that is set back does not lower a cut-off, and its number grows", () => {
  const last = { at: NOW, before: NOW / 1000, number: NOW };
  const next = advanceCutoff(last, { ...nothing, lastNumber: NOW + 5, nowMs: NOW - 60_000 });
  assert.deepEqual(next, { ...last, number: NOW + 6 });
});

test("law 3: a session is cut off when its mark is less than the number of the cut-off, whatever the clocks say", () => {
  const cutoff = { at: NOW + 3_600_000, before: NOW / 1000 + 3600, number: 7 };
  assert.equal(isCutOff({ mark: 6 }, cutoff), true);
  assert.equal(isCutOff({ mark: 7 }, cutoff), false);
  assert.equal(isCutOff({ mark: 0 }, null), false);
});
