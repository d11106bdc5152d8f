import assert from "node:assert/strict";
import type { SessionCap } from "../session-cap.ts";
import { MAX_EVICTED } from "../session-eviction.ts";
import type { SessionPage, SessionPosition } from "../session-store.ts";
import type { Store } from "../store.ts";
import { ABSOLUTE_MS, IDLE_MS, ISSUER } from "./constants.ts";
import { createSession, listIds, logIn, makeRevocation, present, readLog, subjectScope } from "./fixtures.ts";
import type { Cases } from "./types.ts";

async function capOf(store: Store, max: number): Promise<SessionCap> {
  return { max, issuer: ISSUER, until: (await store.now()) + 3_600_000 };
}

/** Creates a session with a bound. Returns the ids of the sessions that ended for it. */
async function logInWithCap(
  store: Store,
  id: string,
  max: number,
  { idleMs = IDLE_MS }: { idleMs?: number } = {},
): Promise<string[]> {
  const cap = await capOf(store, max);
  const created = await createSession(store, id, await store.now(), "alice", { idleMs, cap });
  assert.ok(created.status === "created");
  return created.evicted.map((session) => session.id);
}

/** Tests of lists in pages, and of the bound on the sessions of a subject. */
export const sessionCapCases: Cases = {
  "a list in pages has every live session once, also when sessions begin and end meanwhile": async ({
    store,
    clock,
  }) => {
    // Several sessions begin in the same millisecond.
    for (let i = 0; i < 12; i++) {
      await logIn(store, `s${i}`);
      if (i % 3 === 2) await clock.advance(1);
    }
    const seen: string[] = [];
    let after: SessionPosition | null = null;
    for (let pages = 1; ; pages++) {
      const page: SessionPage = await store.sessions.listBySubject("alice", { after, limit: 5 });
      assert.ok(page.sessions.length <= 5);
      seen.push(...page.sessions.map(({ id }) => id));
      after = page.next;
      if (after === null) break;
      if (pages > 1) continue;
      // The session that the page ended with ends itself, and a new one begins before the first page.
      await store.sessions.end(after.id, "logout", await makeRevocation(store, "session", after.id));
      await clock.advance(1);
      await logIn(store, "new");
    }
    assert.deepEqual(seen.toSorted(), Array.from({ length: 12 }, (_, i) => `s${i}`).toSorted());
    assert.ok(["s9", "s10", "s11"].includes(seen[0] ?? ""));
    assert.equal((await listIds(store))[0], "new");
  },

  "the session beyond the bound that was not refreshed for the longest time ends, and its revocation is logged":
    async ({ store, clock }) => {
      for (const id of ["s1", "s2", "s3"]) {
        assert.deepEqual(await logInWithCap(store, id, 3), []);
        await clock.advance(1000);
      }
      assert.equal((await present(store, "s1", 1)).outcome, "rotated");
      await clock.advance(1000);
      assert.deepEqual(await logInWithCap(store, "s4", 3), ["s2"]);
      const evicted = await store.sessions.get("s2");
      assert.equal(evicted?.endReason, "evicted");
      assert.equal(evicted.currentDigest, "");
      assert.equal((await present(store, "s2", 1)).outcome, "ended");
      assert.deepEqual((await readLog(store)).kinds, ["session s2"]);
      assert.deepEqual(await listIds(store), ["s4", "s3", "s1"]);
    },

  "an expired session makes room before a live one, and needs no revocation": async ({ store, clock }) => {
    await logInWithCap(store, "s1", 2);
    await clock.advance(1000);
    await logInWithCap(store, "s2", 2, { idleMs: 1000 });
    await clock.advance(5000);
    assert.deepEqual(await logInWithCap(store, "s3", 2), []);
    assert.deepEqual((await readLog(store)).kinds, []);
    assert.deepEqual(await listIds(store), ["s3", "s1"]);
  },

  "sessions that ended and sessions of other subjects take no room": async ({ store, clock }) => {
    for (const id of ["s1", "s2", "s3"]) await logIn(store, id);
    await logIn(store, "other", "bob");
    await store.sessions.end("s2", "logout", await makeRevocation(store, "session", "s2"));
    await clock.advance(1);
    assert.deepEqual(await logInWithCap(store, "s4", 3), []);
    await store.sessions.endAll("alice", "logout_all", await subjectScope(store));
    await clock.advance(1);
    for (const id of ["s5", "s6", "s7"]) assert.deepEqual(await logInWithCap(store, id, 3), []);
    assert.equal((await present(store, "other", 1)).outcome, "rotated");
  },

  "a subject with many more sessions than the bound loses a few at each login": async ({ store, clock }) => {
    for (let i = 0; i < MAX_EVICTED * 2; i++) {
      await logIn(store, `old${i}`);
      await clock.advance(1);
    }
    const first = await logInWithCap(store, "s1", 2);
    assert.deepEqual(first.toSorted(), Array.from({ length: MAX_EVICTED }, (_, i) => `old${i}`).toSorted());
    await clock.advance(1);
    assert.equal((await logInWithCap(store, "s2", 2)).length, MAX_EVICTED);
    assert.deepEqual(await listIds(store), ["s2", "s1"]);
  },

  "concurrent logins keep the bound": async ({ store, clock }) => {
    for (let i = 0; i < 4; i++) await logInWithCap(store, `old${i}`, 4);
    await clock.advance(1);
    const ids = Array.from({ length: 24 }, (_, i) => `s${i}`);
    const evicted = (await Promise.all(ids.map(async (id) => await logInWithCap(store, id, 4)))).flat();
    const live = await listIds(store);
    assert.equal(live.length, 4);
    // No session ends for two logins, and none ends without need.
    assert.equal(evicted.length, 24);
    assert.equal(new Set([...evicted, ...live]).size, 28);
    for (const id of evicted) assert.equal((await store.sessions.get(id))?.endReason, "evicted");
    const { kinds } = await readLog(store);
    assert.deepEqual(kinds.toSorted(), evicted.map((id) => `session ${id}`).toSorted());
  },

  "a login that a cut-off supersedes ends no session": async ({ store, clock }) => {
    const authAt = await store.now();
    await clock.advance(10);
    await store.sessions.endAll("alice", "logout_all", await subjectScope(store));
    await clock.advance(10);
    await logInWithCap(store, "s1", 1);
    const cap = await capOf(store, 1);
    assert.equal((await createSession(store, "s2", authAt, "alice", { cap })).status, "superseded");
    assert.deepEqual(await listIds(store), ["s1"]);
    await clock.advance(ABSOLUTE_MS);
    assert.deepEqual(await listIds(store), []);
  },
};
