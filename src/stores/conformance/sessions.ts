import assert from "node:assert/strict";
import { isHoldfastError } from "../../core/errors.ts";
import { IDLE_MS, ISSUER, LONG_AFTER_MS, LOST_ANSWER_MS } from "./constants.ts";
import { createSession, listIds, readLog, logIn, present, makeRevocation, subjectScope } from "./fixtures.ts";
import type { Cases } from "./types.ts";

/** How often a login and a cut-off run at the same time. */
const MEETINGS = 10;

/** Tests of how sessions begin and end. */
export const sessionCases: Cases = {
  "a session is read as it was created": async ({ store }) => {
    const session = await logIn(store, "s1");
    assert.deepEqual(await store.sessions.get("s1"), session);
    assert.equal(session.generation, 1);
    assert.equal(session.idleExpiresAt, session.authAt + IDLE_MS);
    assert.equal(session.issuedAtS, Math.floor(session.authAt / 1000));
    assert.equal(await store.sessions.get("nobody"), null);
  },

  "a session id that is taken is rejected, and the session is unchanged": async ({ store }) => {
    const session = await logIn(store, "s1");
    await assert.rejects(logIn(store, "s1", "mallory"), (error) => isHoldfastError(error, "invalid_option"));
    assert.deepEqual(await store.sessions.get("s1"), session);
  },

  "the live sessions of a subject are listed, newest first": async ({ store, clock }) => {
    for (const id of ["s1", "s2", "s3"]) {
      await logIn(store, id);
      await clock.advance(1000);
    }
    await logIn(store, "other", "bob");
    await store.sessions.end("s2", "logout", await makeRevocation(store, "session", "s2"));
    assert.deepEqual(await listIds(store), ["s3", "s1"]);
    await clock.advance(IDLE_MS);
    assert.deepEqual(await listIds(store), []);
  },

  "law 3: an ended session stays ended, and its tokens are not reported as reuse": async ({ store }) => {
    await logIn(store, "s1");
    await present(store, "s1", 1);
    await store.sessions.end("s1", "logout", await makeRevocation(store, "session", "s1"));
    const ended = await store.sessions.get("s1");
    assert.equal(ended?.endReason, "logout");
    for (const generation of [1, 2, 3]) {
      assert.equal((await present(store, "s1", generation)).outcome, "ended");
    }
    assert.deepEqual(await store.sessions.get("s1"), ended);
    assert.deepEqual((await readLog(store)).kinds, ["session s1"]);
  },

  "law 3: ending an ended or unknown session appends an entry, and keeps the first reason": async ({
    store,
  }) => {
    await logIn(store, "s1");
    await store.sessions.end("s1", "logout", await makeRevocation(store, "session", "s1"));
    await store.sessions.end("s1", "revoked", await makeRevocation(store, "session", "s1"));
    await store.sessions.end("s9", "revoked", await makeRevocation(store, "session", "s9"));
    assert.deepEqual((await readLog(store)).kinds, ["session s1", "session s1", "session s9"]);
    assert.equal((await store.sessions.get("s1"))?.endReason, "logout");
  },

  "fault 46: a logout that is concurrent with a refresh ends the session, whichever comes first": async ({
    store,
  }) => {
    for (const id of ["s1", "s2"]) await logIn(store, id);
    const revocation = await makeRevocation(store, "session", "s1");
    await Promise.all([present(store, "s1", 1), store.sessions.end("s1", "logout", revocation)]);
    await Promise.all([store.sessions.end("s2", "logout", revocation), present(store, "s2", 1)]);
    for (const id of ["s1", "s2"]) {
      for (const generation of [1, 2]) {
        assert.equal((await present(store, id, generation)).outcome, "ended");
      }
    }
  },

  "fault 47: ending all sessions of a subject also ends a concurrent login and a concurrent refresh": async ({
    store,
    clock,
  }) => {
    await logIn(store, "s1");
    await logIn(store, "s2");
    await logIn(store, "other", "bob");
    const mark = await store.sessions.mark();
    await clock.advance(10);
    const ending = store.sessions.endAll("alice", "password_changed", await subjectScope(store));
    const refreshing = present(store, "s1", 1);
    assert.equal(await ending, 2);
    // The cut-off covers the tokens of the refresh, whichever came first, and no token refreshes again.
    const refreshed = await refreshing;
    const [cutOff] = (await store.revocations.snapshot()).entries;
    assert.ok(cutOff?.revocation.kind === "subject");
    const issuedAtS = refreshed.outcome === "rotated" ? refreshed.session.issuedAtS : 0;
    assert.ok(issuedAtS <= cutOff.revocation.before);
    assert.match(refreshed.outcome, /^(rotated|ended)$/);
    for (const generation of [1, 2]) {
      assert.equal((await present(store, "s1", generation)).outcome, "ended");
    }
    assert.equal((await createSession(store, "s3", mark)).status, "superseded");
    assert.equal(await store.sessions.get("s3"), null);
    assert.equal((await present(store, "other", 1)).outcome, "rotated");
    assert.equal(await store.sessions.endAll("alice", "logout_all", await subjectScope(store)), 0);
  },

  "law 3: credentials checked before a cut-off in the same millisecond are superseded, and checked again they are not":
    async ({ store }) => {
      const mark = await store.sessions.mark();
      await store.sessions.endAll("alice", "logout_all", await subjectScope(store));
      const superseded = await createSession(store, "s1", mark);
      assert.equal(superseded.status, "superseded");
      assert.ok(superseded.number > mark);
      assert.equal((await createSession(store, "s1", superseded.number)).status, "created");
      assert.equal((await present(store, "s1", 1)).outcome, "rotated");
    },

  "law 3: a login that meets a cut-off is ended or superseded, and with the returned number its id begins a session":
    async ({ store, clock }) => {
      const scope = await subjectScope(store);
      for (let i = 0; i < MEETINGS; i++) {
        // The next mark is greater than the number of the last cut-off.
        await clock.advance(10);
        const id = `s${i}`;
        const mark = await store.sessions.mark();
        const [created] = await Promise.all([
          createSession(store, id, mark),
          store.sessions.endAll("alice", "logout_all", scope),
        ]);
        if (created.status === "created") {
          assert.equal((await store.sessions.get(id))?.endReason, "logout_all");
        } else {
          assert.equal((await createSession(store, id, created.number)).status, "created");
          assert.equal((await present(store, id, 1)).outcome, "rotated");
        }
      }
    },

  "law 3: the number of a cut-off is greater than every earlier mark of the subject and not than later ones":
    async ({ store, clock }) => {
      let lastNumber = -1;
      for (const id of ["s1", "s2", "s3"]) {
        // All steps happen within one second of the clock.
        await clock.advance(1);
        const mark = await store.sessions.mark();
        assert.ok(mark >= lastNumber);
        const session = await logIn(store, id);
        const rotated = await present(store, id, 1);
        assert.equal(rotated.outcome, "rotated");
        assert.ok(rotated.session.issuedAtS >= session.issuedAtS);
        assert.ok(rotated.session.issuedAtS * 1000 <= (await store.now()), "no `iat` is in the future");
        const revocation = {
          kind: "subject",
          id: "alice",
          before: 0,
          ...(await subjectScope(store)),
        } as const;
        const entry = await store.revocations.append(revocation);
        assert.ok(entry.revocation.kind === "subject" && entry.revocation.number !== undefined);
        assert.ok(entry.revocation.before >= rotated.session.issuedAtS);
        assert.ok(entry.revocation.before * 1000 >= (await store.now()));
        assert.ok(entry.revocation.number > mark);
        lastNumber = entry.revocation.number;
      }
    },

  "law 3: a subject's revocation that is appended to the log ends its sessions": async ({ store }) => {
    await logIn(store, "s1");
    const until = (await store.now()) + 3_600_000;
    await store.revocations.append({ kind: "subject", id: "alice", before: 0, issuer: ISSUER, until });
    assert.equal((await present(store, "s1", 1)).outcome, "ended");
    assert.deepEqual(await listIds(store), []);
  },

  "pruning erases a sealed successor after `lostAnswerMs`, and a session long after its expiry": async ({
    store,
    clock,
  }) => {
    await logIn(store, "s1");
    await present(store, "s1", 1);
    await store.prune();
    assert.equal((await store.sessions.get("s1"))?.sealedSuccessor, "sealed s1/2");
    await clock.advance(LOST_ANSWER_MS);
    await store.prune();
    assert.equal((await store.sessions.get("s1"))?.sealedSuccessor, null);
    assert.equal((await present(store, "s1", 2)).outcome, "rotated");
    await clock.advance(LONG_AFTER_MS);
    await store.prune();
    assert.equal(await store.sessions.get("s1"), null);
  },
};
