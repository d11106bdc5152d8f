import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test, type TestContext } from "node:test";
import { isHoldfastError } from "../../src/core/errors.ts";
import { acknowledge, logIn, present, makeRevocation } from "../../src/stores/conformance/fixtures.ts";
import { SqliteConnection } from "../../src/stores/sqlite/connection.ts";
import { assembleStore } from "../../src/stores/sqlite/store.ts";
import { sqliteStore } from "../../src/stores/sqlite.ts";
import type { Store } from "../../src/stores/store.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";
import { temporaryFolder } from "./temporary-folder.ts";

const unavailable = (error: unknown): boolean => isHoldfastError(error, "store_unavailable");

/** Opens two stores on one file, like two processes, and a third connection that can hold the lock. */
async function openShared(t: TestContext): Promise<{
  one: Store;
  two: Store;
  clock: FakeClock;
  lock: DatabaseSync;
  file: string;
}> {
  const folder = temporaryFolder();
  const file = join(folder.path, "holdfast.db");
  const clock = new FakeClock();
  const one = await sqliteStore({ file, clock });
  const two = await sqliteStore({ file, clock });
  const lock = new DatabaseSync(file);
  t.after(async () => {
    await Promise.all([one.close(), two.close()]);
    if (lock.isOpen) lock.close();
    folder.remove();
  });
  return { one, two, clock, lock, file };
}

test("a connection sees the acknowledged writes of another one at once", async (t) => {
  const { one, two } = await openShared(t);
  const session = await logIn(one, "s1");
  assert.deepEqual(await two.sessions.get("s1"), session);
  await two.sessions.end("s1", "logout", await makeRevocation(two, "session", "s1"));
  assert.equal((await present(one, "s1", 1)).outcome, "ended");
});

test("law 8: an acknowledgement that races repeats over two connections leaves one successor", async (t) => {
  const { one, two } = await openShared(t);
  for (let round = 0; round < 10; round++) {
    const id = `s${round}`;
    await logIn(one, id);
    await present(one, id, 1);
    const repeats = Array.from({ length: 8 }, async (_, i) => await present(i % 2 === 0 ? one : two, id, 1));
    const acknowledging = [one, two].map(async (store) => await acknowledge(store, id, 2));
    const signs = await Promise.all(acknowledging);
    assert.deepEqual(signs.toSorted(), ["acknowledged", "unchanged"]);
    for (const outcome of await Promise.all(repeats)) {
      if (outcome.outcome === "conflict") continue;
      assert.equal(outcome.outcome === "repeated" && outcome.sealedSuccessor, `sealed ${id}/2`);
    }
    assert.equal((await present(two, id, 1)).outcome, "conflict");
    assert.equal((await present(one, id, 2)).outcome, "rotated");
  }
});

test("fault 43: presentations over two connections yield exactly one successor", async (t) => {
  const { one, two } = await openShared(t);
  await logIn(one, "s1");
  const outcomes = await Promise.all(
    Array.from(
      { length: 100 },
      async (_, i) => await present(i % 2 === 0 ? one : two, "s1", 1, { sealedSuccessor: `sealed ${i}` }),
    ),
  );
  assert.equal(outcomes.filter((o) => o.outcome === "rotated").length, 1);
  const standing = (await one.sessions.get("s1"))?.sealedSuccessor;
  for (const o of outcomes) {
    if (o.outcome !== "rotated") assert.ok(o.outcome === "repeated" && o.sealedSuccessor === standing);
  }
});

test("law 3: polling returns the entries of both connections in one order", async (t) => {
  const { one, two } = await openShared(t);
  const seen: string[] = [];
  let { position } = await one.revocations.snapshot();
  const poll = async () => {
    const tail = await one.revocations.after(position);
    assert.equal(tail.status, "ok");
    for (const { seq, chain, revocation } of tail.entries) {
      seen.push(revocation.id);
      position = { ...position, seq, chain };
    }
  };
  for (const [store, id] of [
    [two, "a"],
    [one, "b"],
    [two, "c"],
    [two, "d"],
    [one, "e"],
    [two, "f"],
  ] as const) {
    await poll();
    await poll();
    await store.revocations.append(await makeRevocation(store, "token", id));
    await poll();
    assert.equal(seen.at(-1), id);
  }
  assert.deepEqual(seen, ["a", "b", "c", "d", "e", "f"]);
});

test("law 3: a clock that is set back does not lower a cut-off", async (t) => {
  const { one, clock } = await openShared(t);
  const authAt = await one.now();
  const mark = await one.sessions.mark();
  const scope = { issuer: "https://id.example.com", until: authAt + 3_600_000 };
  await one.sessions.endAll("alice", "logout_all", scope);
  const { entries: first } = await one.revocations.snapshot();
  clock.setWall(authAt - 60_000);
  await one.sessions.endAll("alice", "logout_all", scope);
  const { entries } = await one.revocations.snapshot();
  const before = (entry = entries.at(-1)) => entry?.revocation.kind === "subject" && entry.revocation.before;
  assert.equal(before(), before(first[0]));
  const late = { id: "s1", subject: "alice", authAt, absoluteExpiresAt: authAt + 1e6, facts: "{}", mac: "m" };
  const created = await one.sessions.create({ ...late, currentDigest: "d", idleMs: 1000, mark });
  assert.equal(created.status, "superseded");
});

test("fault 42: a write waits while another process holds the lock, and reads continue", async (t) => {
  const { one, clock, lock } = await openShared(t);
  lock.exec("BEGIN IMMEDIATE");
  const writing = logIn(one, "s1");
  await clock.advance(1500);
  assert.equal(await one.sessions.get("s1"), null);
  assert.ok(await one.now());
  lock.exec("COMMIT");
  await clock.advance(100);
  assert.equal((await writing).id, "s1");
});

test("fault 42: a write gets the lock when it is free, although the injected clock stands still", async (t) => {
  const { one, clock, lock } = await openShared(t);
  lock.exec("BEGIN IMMEDIATE");
  const writing = one.markers.claim("id", "a");
  // A deadline on the injected clock is asked for when the lock has been held for longer than a commit takes.
  while (clock.pending === 0) await one.markers.read("id");
  lock.exec("COMMIT");
  assert.equal(await writing, "a");
  await one.now();
  assert.equal(clock.pending, 0, "no timer is left");
});

test("fault 42, law 12: a write that misses the lock deadline is unavailable and never takes effect", async (t) => {
  const { one, clock, lock } = await openShared(t);
  const received: unknown[] = [];
  one.revocations.subscribe((entries) => received.push(entries));
  lock.exec("BEGIN IMMEDIATE");
  const revocation = await makeRevocation(one, "session", "s1");
  const authAt = await one.now();
  const session = {
    id: "s1",
    subject: "alice",
    authAt,
    absoluteExpiresAt: authAt + 1e6,
    facts: "{}",
    mac: "m",
  };
  const refused = Promise.all([
    assert.rejects(
      one.sessions.create({ ...session, currentDigest: "d", idleMs: 1000, mark: 0 }),
      unavailable,
    ),
    assert.rejects(one.sessions.end("s1", "logout", revocation), unavailable),
  ]);
  await clock.advance(2100);
  await refused;
  lock.exec("COMMIT");
  await clock.advance(1000);
  assert.equal(await one.sessions.get("s1"), null);
  assert.equal((await one.revocations.snapshot()).position.seq, 0);
  assert.deepEqual(received, []);
  assert.equal((await logIn(one, "s2")).id, "s2", "the store works again");
});

test("fault 42, law 12: a write on a full disk is unavailable and has no effect, and reads continue", async (t) => {
  const { one, file, clock } = await openShared(t);
  await logIn(one, "s1");
  const { position } = await one.revocations.snapshot();
  const options = { file, description: "a full disk", clock, random: Math.random, lockTimeoutMs: 0 };
  const connection = new SqliteConnection({ ...options, awaitBatch: async () => await Promise.resolve() });
  // The file cannot grow by a page. The limit applies to this connection only.
  connection.prepare("PRAGMA max_page_count = 1").get();
  const store = assembleStore(connection, "a full disk");
  t.after(async () => await store.close());
  const large = "x".repeat(100_000);
  const authAt = await store.now();
  const session = { id: "s2", subject: "alice", authAt, absoluteExpiresAt: authAt + 1e6, facts: large };
  const results = await Promise.allSettled([
    store.sessions.create({ ...session, mac: "m", currentDigest: "d", idleMs: 1000, mark: 0 }),
    store.sessions.end("s1", "logout", { kind: "session", id: large, issuer: "i", until: authAt + 1e6 }),
    store.markers.claim("small", "it fits"),
  ]);
  assert.deepEqual(
    results.map((result) => result.status === "fulfilled" || unavailable(result.reason)),
    [true, true, true],
  );
  assert.equal(results[0].status, "rejected");
  assert.equal(results[1].status, "rejected");
  assert.equal(results[2].status, "fulfilled", "a command succeeds although others of its batch fail");
  assert.equal(await store.sessions.get("s2"), null);
  assert.equal((await store.sessions.get("s1"))?.endedAt, null);
  assert.deepEqual((await store.revocations.snapshot()).position, position);
  assert.equal(await one.markers.read("small"), "it fits");
});

test("a failing command does not affect the other commands of its batch", async (t) => {
  const { one, two } = await openShared(t);
  await logIn(one, "taken");
  const received: number[] = [];
  one.revocations.subscribe((entries) => received.push(...entries.map((entry) => entry.seq)));
  const revoking = one.revocations.append(await makeRevocation(one, "token", "t"));
  const results = await Promise.allSettled(
    ["a", "taken", "b", "taken", "c"].map(async (id) => await logIn(one, id)),
  );
  assert.equal((await revoking).seq, 1);
  assert.deepEqual(received, [1], "the entry is published once, however often its batch runs");
  assert.deepEqual(
    results.map((result) => result.status),
    ["fulfilled", "rejected", "fulfilled", "rejected", "fulfilled"],
  );
  for (const id of ["a", "b", "c"]) assert.equal((await two.sessions.get(id))?.id, id);
});

test("closing finishes the accepted commands", async (t) => {
  const { one, two } = await openShared(t);
  const claims = Array.from({ length: 300 }, async (_, i) => await one.markers.claim(`m${i}`, "v"));
  await one.close();
  assert.equal((await Promise.all(claims)).length, 300);
  assert.equal(await two.markers.read("m299"), "v");
});
