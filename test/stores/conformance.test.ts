import assert from "node:assert/strict";
import { test } from "node:test";
import { attemptCases } from "../../src/stores/conformance/attempts.ts";
import { lostAnswerCases } from "../../src/stores/conformance/lost-answers.ts";
import { durableCases, recordCases } from "../../src/stores/conformance/records.ts";
import { refreshCases } from "../../src/stores/conformance/refresh.ts";
import { revocationCases } from "../../src/stores/conformance/revocations.ts";
import { sessionCapCases } from "../../src/stores/conformance/session-cap.ts";
import { sessionCases } from "../../src/stores/conformance/sessions.ts";
import { snapshotsCases } from "../../src/stores/conformance/snapshots.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import type { Store } from "../../src/stores/store.ts";
import { FakeClock } from "../../src/testing/index.ts";

const PARTS = ["sessions", "users", "keys", "audit", "markers", "revocations", "attempts"];

/** A store that accepts every call, keeps nothing and answers nothing. */
function forgetfulStore(): Store {
  const answerNothing = async () => {};
  // An object with a function `then` would count as a promise.
  const part = new Proxy({}, { get: (_, name) => (name === "then" ? undefined : answerNothing) });
  const parts: Record<string, object> = Object.fromEntries(PARTS.map((name) => [name, part]));
  const store: object = { ...parts, now: async () => await Promise.resolve(0), close: answerNothing };
  return store as Store;
}

const groups = {
  attempts: attemptCases,
  "lost answers": lostAnswerCases,
  records: recordCases,
  refreshes: refreshCases,
  revocations: revocationCases,
  "a cap of sessions": sessionCapCases,
  sessions: sessionCases,
};

for (const [name, cases] of Object.entries(groups)) {
  test(`every conformance test of ${name} fails for a store that keeps nothing`, async () => {
    assert.notEqual(Object.keys(cases).length, 0);
    for (const [title, run] of Object.entries(cases)) {
      const clock = new FakeClock();
      await assert.rejects(run({ store: forgetfulStore(), clock, close: async () => {} }), Error, title);
    }
  });
}

test("law 12: every conformance test of a restart fails for a store that is empty after it", async () => {
  assert.notEqual(Object.keys(durableCases).length, 0);
  for (const [title, run] of Object.entries(durableCases)) {
    const clock = new FakeClock();
    const store = memoryStore({ clock });
    const reopen = async () => await Promise.resolve(memoryStore({ clock }));
    await assert.rejects(run({ store, clock, close: () => store.close(), reopen }), Error, title);
  }
});

test("every conformance test of snapshots fails for a storage that loads the same value under every name", async () => {
  assert.notEqual(Object.keys(snapshotsCases).length, 0);
  for (const [title, run] of Object.entries(snapshotsCases)) {
    const snapshots = { load: async () => await Promise.resolve("stale"), save: async () => {} };
    await assert.rejects(run({ snapshots, close: () => {} }), Error, title);
  }
});
