import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test, type TestContext } from "node:test";
import { digest, logIn, present } from "../../src/stores/conformance/fixtures.ts";
import { MIGRATIONS } from "../../src/stores/sqlite/schema.ts";
import { sqliteStore } from "../../src/stores/sqlite.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";
import { temporaryFolder } from "./temporary-folder.ts";

const OLD_COLUMNS =
  "id, subject, authAt, absoluteExpiresAt, facts, mac, generation, currentDigest, previousDigest, sealedSuccessor, rotatedAt, graceEndsAt, olderGraceEndsAt, issuedAtS, idleExpiresAt, graceStreak, graceHit, endedAt, endReason";

/** Makes a file as the first version did. Each session has rotated once, and its grace ends at the given time. */
function createOldFile(t: TestContext, now: number, sessions: Readonly<Record<string, number>>): string {
  const folder = temporaryFolder();
  t.after(() => folder.remove());
  const file = join(folder.path, "holdfast.db");
  const db = new DatabaseSync(file);
  db.exec(`PRAGMA journal_mode = WAL; ${MIGRATIONS[0] ?? ""}`);
  const insert = db.prepare(
    `INSERT INTO sessions (${OLD_COLUMNS}) VALUES (?, 'alice', ?, ?, '{}', 'mac', 2, ?, ?, 'sealed', ?, ?, ?, ?, ?, 1, 1, NULL, NULL)`,
  );
  for (const [id, graceEndsAt] of Object.entries(sessions)) {
    const [authAt, absolute, idle] = [now - 60_000, now + 900_000, now + 500_000];
    const digests = [digest(id, 2), digest(id, 1)];
    insert.run(id, authAt, absolute, ...digests, now - 10_000, graceEndsAt, now + 5_000, 5, idle);
  }
  // The application id of a store, "Hold" in ASCII.
  db.exec("PRAGMA application_id = 1215261796; PRAGMA user_version = 1");
  db.close();
  return file;
}

test("law 8: a session of an older version keeps its rights when the file is converted", async (t) => {
  const clock = new FakeClock();
  const now = clock.now();
  const file = createOldFile(t, now, { recent: now + 20_000, past: now - 1 });
  const store = await sqliteStore({ file, clock });
  t.after(async () => await store.close());

  const recent = await store.sessions.get("recent");
  assert.equal(recent?.idleMs, 510_000);
  assert.equal(recent.lostAnswerEndsAt, now + 20_000);
  assert.deepEqual([recent.repeatStreak, recent.wasRepeated, recent.arrivedAt], [1, true, null]);

  const repeated = await present(store, "recent", 1);
  assert.equal(repeated.outcome === "repeated" && repeated.sealedSuccessor, "sealed");
  assert.equal((await present(store, "past", 1)).outcome, "late", "nothing was proved");
  for (const id of ["recent", "past"]) {
    const rotated = await present(store, id, 2);
    assert.equal(rotated.outcome === "rotated" && rotated.session.idleExpiresAt, now + 510_000);
  }
});

test("a process of an older version that has the file open fails, and changes nothing", async (t) => {
  const clock = new FakeClock();
  const file = createOldFile(t, clock.now(), { s1: clock.now() + 20_000 });
  // The statements of the first version, prepared before another process converts the file.
  const old = new DatabaseSync(file);
  t.after(() => old.close());
  const save = old.prepare(
    "UPDATE sessions SET generation = 9, graceEndsAt = ?, graceHit = 0 WHERE id = 's1'",
  );
  const create = old.prepare(`INSERT INTO sessions VALUES (${OLD_COLUMNS.replaceAll(/\w+/g, "?")})`);
  save.run(clock.now() + 20_000);
  old.exec("UPDATE sessions SET generation = 2");
  const store = await sqliteStore({ file, clock });
  t.after(async () => await store.close());
  const before = await store.sessions.get("s1");
  assert.throws(() => save.run(1), /no such column/);
  const row = ["s2", "alice", 1, 2, "{}", "mac", 1, "d", null, null, 1, null, null, 1, 2, 0, 0, null, null];
  assert.throws(() => create.run(...row), /columns/);
  assert.deepEqual(await store.sessions.get("s1"), before);
  await logIn(store, "s3");
});
