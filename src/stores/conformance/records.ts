import assert from "node:assert/strict";
import { isHoldfastError } from "../../core/errors.ts";
import type { AuditEvent } from "../../core/events.ts";
import type { SigningKeyRecord } from "../store.ts";
import type { UserRecord } from "../user-store.ts";
import { LONG_AFTER_MS } from "./constants.ts";
import { createSession, logIn, present, makeRevocation } from "./fixtures.ts";
import type { Cases, DurableStoreUnderTest } from "./types.ts";

function user(username: string): UserRecord {
  const subject = `subject of ${username}`;
  const rest = { passwordHash: "$argon2id$…", scopes: ["orders:read", "ünïcode"], createdAt: 5 };
  const loginKey = username.toLowerCase();
  return { username, loginKey, subject, ...rest, disabledAt: null, mac: `mac of ${username}` };
}

function key(kid: string, createdAt: number, activatedAt: number | null = null): SigningKeyRecord {
  return { kid, algorithm: "ES256", sealed: `sealed ${kid}`, createdAt, activatedAt, retiredAt: null };
}

function event(at: number, detail: string): AuditEvent {
  return { at, kind: "login", subject: "alice", session: null, source: "192.0.2.1", actor: "admin", detail };
}

/** Tests of users, signing keys, audit events and markers, and of the store as a whole. */
export const recordCases: Cases = {
  "a user is found by name and by subject, exactly as added": async ({ store }) => {
    const alice = user(`al'ice"; \u{1F600} ü`);
    assert.equal(await store.users.add(alice), "added");
    assert.deepEqual(await store.users.get(alice.username), alice);
    assert.deepEqual(await store.users.getBySubject(alice.subject), alice);
    assert.equal(await store.users.get("nobody"), null);
    assert.equal(await store.users.getBySubject("nobody"), null);
  },

  "a user whose name or subject is taken is not added": async ({ store }) => {
    await store.users.add(user("alice"));
    assert.equal(await store.users.add({ ...user("alice"), subject: "another" }), "exists");
    assert.equal(await store.users.add({ ...user("bob"), subject: user("alice").subject }), "exists");
    assert.deepEqual(await store.users.get("alice"), user("alice"));
    assert.equal(await store.users.get("bob"), null);
  },

  "one of several concurrent first users is added": async ({ store }) => {
    const names = ["a", "b", "c", "d"];
    const results = await Promise.all(
      names.map(async (name) => await store.users.add(user(name), { onlyFirst: true })),
    );
    assert.equal(results.filter((result) => result === "added").length, 1);
    assert.equal((await store.users.list({ limit: 10 })).length, 1);
  },

  "a user is replaced only if the MAC is that of the stored record": async ({ store }) => {
    await store.users.add(user("alice"));
    const changed = { ...user("alice"), passwordHash: "new", scopes: [], mac: "mac 2" };
    assert.equal(await store.users.replace(changed, "another mac"), "stale");
    assert.equal(await store.users.replace(changed, "mac of alice"), "replaced");
    assert.equal(await store.users.replace(changed, "mac of alice"), "stale");
    assert.deepEqual(await store.users.get("alice"), changed);
    assert.equal(await store.users.replace(user("nobody"), "mac"), "stale");
    const other = { ...changed, subject: "another subject" };
    assert.equal(await store.users.replace(other, "mac 2"), "stale", "a user keeps the subject");
    assert.deepEqual(await store.users.get("alice"), changed);
  },

  "a user is found by the login key, and a key that is taken is not added": async ({ store }) => {
    await store.users.add(user("Al:ice"));
    assert.deepEqual(await store.users.getByLoginKey("al:ice"), user("Al:ice"));
    for (const other of ["al", "al:", "al:ice:", "Al:ice", "AL:ICE"]) {
      assert.equal(await store.users.getByLoginKey(other), null, other);
    }
    assert.equal(await store.users.add(user("al:ICE")), "exists");
    assert.equal(await store.users.add(user("al")), "added");
    assert.deepEqual(await store.users.getByLoginKey("al"), user("al"));
  },

  "users without a login key are added, and found by their names only": async ({ store }) => {
    for (const name of ["Bob", "bob"]) {
      assert.equal(await store.users.add({ ...user(name), loginKey: null }), "added");
    }
    assert.equal(await store.users.getByLoginKey("bob"), null);
    assert.deepEqual(await store.users.get("Bob"), { ...user("Bob"), loginKey: null });
  },

  "a replaced user has the new login key, and the first in order of name wins a shared one": async ({
    store,
  }) => {
    for (const name of ["bob", "Bob"]) await store.users.add({ ...user(name), loginKey: null });
    for (const name of ["bob", "Bob"]) await store.users.replace(user(name), `mac of ${name}`);
    assert.deepEqual(await store.users.getByLoginKey("bob"), user("Bob"));
    await store.users.replace({ ...user("Bob"), loginKey: "robert", disabledAt: 7 }, "mac of Bob");
    assert.deepEqual(await store.users.getByLoginKey("bob"), user("bob"));
    assert.deepEqual(await store.users.getByLoginKey("robert"), {
      ...user("Bob"),
      loginKey: "robert",
      disabledAt: 7,
    });
  },

  "a user is removed only if the MAC is that of the stored record, and can be added again": async ({
    store,
  }) => {
    await store.users.add(user("alice"));
    assert.equal(await store.users.remove("alice", "another mac"), "stale");
    assert.equal(await store.users.remove("alice", "mac of alice"), "removed");
    assert.equal(await store.users.remove("alice", "mac of alice"), "stale");
    assert.equal(await store.users.get("alice"), null);
    assert.equal(await store.users.getByLoginKey("alice"), null);
    assert.equal(await store.users.getBySubject("subject of alice"), null);
    assert.deepEqual(await store.users.list({ limit: 10 }), []);
    assert.equal(await store.users.replace(user("alice"), "mac of alice"), "stale");
    assert.equal(await store.users.add(user("alice"), { onlyFirst: true }), "added");
    assert.deepEqual(await store.users.getByLoginKey("alice"), user("alice"));
  },

  "users are listed in pages, in order of name": async ({ store }) => {
    for (const name of ["c", "a", "d", "b"]) await store.users.add(user(name));
    const names = async (after: string | undefined) =>
      (await store.users.list({ after, limit: 3 })).map(({ username }) => username);
    assert.deepEqual(await names(undefined), ["a", "b", "c"]);
    assert.deepEqual(await names("c"), ["d"]);
    assert.deepEqual(await names("d"), []);
  },

  "the first keys are stored once, and all callers get the same keys": async ({ store }) => {
    const [one, two] = await Promise.all([
      store.keys.initialise([key("k1", 1, 1), key("k2", 1)]),
      store.keys.initialise([key("k3", 1, 1), key("k4", 1)]),
    ]);
    assert.deepEqual(one, [key("k1", 1, 1), key("k2", 1)]);
    assert.deepEqual(two, one);
    assert.deepEqual(await store.keys.list(), one);
  },

  "concurrent key rotations rotate once: the published key signs, and the next one is published": async ({
    store,
  }) => {
    await store.keys.initialise([key("k1", 1, 1), key("k2", 1)]);
    const now = await store.now();
    const results = await Promise.all([
      store.keys.rotate("k1", key("k3", 2)),
      store.keys.rotate("k1", key("k4", 2)),
    ]);
    assert.deepEqual(results, ["rotated", "stale"]);
    assert.deepEqual(await store.keys.list(), [
      { ...key("k1", 1, 1), retiredAt: now },
      key("k2", 1, now),
      key("k3", 2),
    ]);
    assert.equal(
      await store.keys.rotate("k3", key("k5", 3)),
      "stale",
      "a published key that does not sign is not rotated",
    );
    assert.equal(await store.keys.rotate("nokey", key("k5", 3)), "stale");
  },

  "keys are not rotated when no published key can take over": async ({ store }) => {
    await store.keys.initialise([key("k1", 1, 1)]);
    assert.equal(await store.keys.rotate("k1", key("k2", 2)), "stale");
    assert.deepEqual(await store.keys.list(), [key("k1", 1, 1)]);
  },

  "a key is resealed only from its stored value, and can be removed": async ({ store }) => {
    await store.keys.initialise([key("k1", 1, 1), key("k2", 1)]);
    assert.equal(await store.keys.reseal("k1", "not this", "other"), "stale");
    assert.equal(await store.keys.reseal("k1", "sealed k1", "other"), "replaced");
    await store.keys.remove("k2");
    await store.keys.remove("k2");
    assert.deepEqual(await store.keys.list(), [{ ...key("k1", 1, 1), sealed: "other" }]);
  },

  "audit events are listed newest first, and pruned when they are old": async ({ store, clock }) => {
    const now = await store.now();
    for (const detail of ["a", "b", "c"]) await store.audit.append(event(now, detail));
    assert.deepEqual(await store.audit.recent(2), [event(now, "c"), event(now, "b")]);
    await clock.advance(LONG_AFTER_MS);
    const late = event(await store.now(), "d");
    await store.audit.append(late);
    await store.prune();
    assert.deepEqual(await store.audit.recent(10), [late]);
  },

  "pages of audit events follow each other, although events are appended meanwhile": async ({ store }) => {
    const now = await store.now();
    const details = Array.from({ length: 7 }, (_, i) => `event ${i}`);
    for (const detail of details) await store.audit.append(event(now, detail));
    const seen: (string | null)[] = [];
    let pages = 0;
    for (let before: string | null = null; ; pages++) {
      const page: Awaited<ReturnType<typeof store.audit.page>> = await store.audit.page(3, before);
      seen.push(...page.events.map(({ detail }) => detail));
      if (page.next === null) break;
      await store.audit.append(event(now, "late"));
      before = page.next;
    }
    assert.deepEqual(seen, details.toReversed());
    assert.equal(pages, 2);
  },

  "the page with the oldest audit event names no further one": async ({ store }) => {
    const now = await store.now();
    for (const detail of ["a", "b"]) await store.audit.append(event(now, detail));
    assert.deepEqual(await store.audit.page(2, null), {
      events: [event(now, "b"), event(now, "a")],
      next: null,
    });
  },

  "the first page of an empty audit trail is the last one": async ({ store }) => {
    assert.deepEqual(await store.audit.page(10, null), { events: [], next: null });
  },

  "a marker is claimed once, and replaced only from its stored value": async ({ store }) => {
    assert.equal(await store.markers.read("id"), null);
    assert.deepEqual(await Promise.all([store.markers.claim("id", "a"), store.markers.claim("id", "b")]), [
      "a",
      "a",
    ]);
    assert.equal(await store.markers.replace("id", "b", "c"), "stale");
    assert.equal(await store.markers.replace("id", "a", "c"), "replaced");
    assert.equal(await store.markers.read("id"), "c");
    assert.equal(await store.markers.replace("none", "a", "c"), "stale");
  },

  "a closed store rejects with closed, and closing it again resolves": async ({ store }) => {
    await store.close();
    await store.close();
    const closed = (error: unknown) => isHoldfastError(error, "closed");
    await assert.rejects(store.now(), closed);
    await assert.rejects(logIn(store, "s1"), closed);
    await assert.rejects(store.markers.claim("id", "a"), closed);
  },
};

/** Tests of a store that keeps its data across a restart. */
export const durableCases: Cases<DurableStoreUnderTest> = {
  "law 12: all acknowledged data is present after a restart": async (under) => {
    const { store } = under;
    await store.users.add(user("alice"));
    await store.keys.initialise([key("k1", 1, 1)]);
    await store.audit.append(event(1, "a"));
    await store.markers.claim("id", "a");
    await logIn(store, "s1", "bob");
    await present(store, "s1", 1);
    await logIn(store, "s2");
    await store.sessions.end("s2", "logout", await makeRevocation(store, "session", "s2"));
    const before = {
      session: await store.sessions.get("s1"),
      ended: await store.sessions.get("s2"),
      log: await store.revocations.snapshot(),
    };
    const mark = await store.sessions.mark();
    const until = (await store.now()) + 1000;
    await store.sessions.endAll("carol", "logout_all", { issuer: "i", until });

    const again = await under.reopen();
    assert.deepEqual(await again.sessions.get("s1"), before.session);
    assert.deepEqual(await again.sessions.get("s2"), before.ended);
    const tail = await again.revocations.after(before.log.position);
    assert.equal(tail.status, "ok");
    assert.equal(tail.entries.length, 1);
    assert.deepEqual(await again.users.get("alice"), user("alice"));
    assert.deepEqual(await again.keys.list(), [key("k1", 1, 1)]);
    assert.deepEqual(await again.audit.recent(1), [event(1, "a")]);
    assert.equal(await again.markers.read("id"), "a");
    assert.equal((await present(again, "s1", 2)).outcome, "rotated");
    const late = await createSession(again, "s3", mark, "carol");
    assert.equal(late.status, "superseded", "the cut-off is kept");
  },
};
