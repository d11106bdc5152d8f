import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test, type TestContext } from "node:test";
import { isHoldfastError } from "../../src/core/errors.ts";
import { logIn, makeRevocation, present } from "../../src/stores/conformance/fixtures.ts";
import { readDump } from "../../src/stores/sqlite/dump.ts";
import { MIGRATIONS, migrate } from "../../src/stores/sqlite/schema.ts";
import { sqliteStore } from "../../src/stores/sqlite.ts";
import type { Store } from "../../src/stores/store.ts";
import { temporaryFolder } from "./temporary-folder.ts";

const newer = (error: unknown): boolean => {
  assert.ok(isHoldfastError(error, "store_newer"), String(error));
  assert.match(error.message, new RegExp(`has schema ${MIGRATIONS.length + 1}`));
  return true;
};

async function open(t: TestContext): Promise<{ store: Store; file: string }> {
  const folder = temporaryFolder();
  const file = join(folder.path, "holdfast.db");
  const store = await sqliteStore({ file });
  t.after(async () => {
    await store.close();
    folder.remove();
  });
  return { store, file };
}

/** Runs a process of a later version beside the open store, until it has migrated the file. */
async function migrateToNewer(file: string, migration: string): Promise<void> {
  const script = join(import.meta.dirname, "newer-process.ts");
  const child = spawn(process.execPath, [script, file, migration], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  const [code] = await once(child, "exit");
  assert.equal(code, 0);
}

test("fault 71: a store whose file a newer process migrates writes nothing more, and reads go on", async (t) => {
  const { store, file } = await open(t);
  const session = await logIn(store, "s1");
  await store.markers.claim("before", "this version");
  await migrateToNewer(file, "ALTER TABLE sessions ADD COLUMN later TEXT NOT NULL DEFAULT 'x'");
  await assert.rejects(store.markers.claim("after", "this version"), newer);
  await assert.rejects(present(store, "s1", 1), newer);
  await assert.rejects(store.revocations.append(await revocation(store)), newer);
  await assert.rejects(store.prune(), newer);
  await assert.rejects(store.now(), newer, "the health check names the reason");
  assert.deepEqual(await store.sessions.get("s1"), session);
  assert.deepEqual((await store.revocations.snapshot()).entries, []);
  assert.equal(await store.markers.read("before"), "this version");
  assert.equal(await store.markers.read("written by"), "the later version");
  assert.equal(await store.markers.read("after"), null);
});

/** A revocation that does not ask the store for its time, which a store under a newer schema refuses to tell. */
async function revocation(store: Store) {
  const until = Date.now() + 3_600_000;
  assert.equal((await store.revocations.snapshot()).position.seq, 0);
  return { kind: "session", id: "s1", issuer: "https://id.example.com", until } as const;
}

test("fault 71: writes that race with the migration of a newer process are acknowledged only before it", async (t) => {
  const { store, file } = await open(t);
  const acknowledged: string[] = [];
  const writing = (async () => {
    for (let i = 0; ; i++) {
      await store.markers.claim(`m${i}`, "v");
      acknowledged.push(`m${i}`);
    }
  })();
  const refused = assert.rejects(writing, newer);
  // The trigger fails a write of the old version that would come after the migration.
  const guard =
    "CREATE TRIGGER no_more BEFORE INSERT ON markers WHEN new.name LIKE 'm%' BEGIN SELECT raise(ABORT, 'late'); END";
  await migrateToNewer(file, guard);
  await refused;
  assert.ok(acknowledged.length > 0);
  for (const name of acknowledged) assert.equal(await store.markers.read(name), "v");
});

test("fault 71: a read that the newer schema makes impossible says that the store is newer", async (t) => {
  const { store, file } = await open(t);
  await logIn(store, "s1");
  await migrateToNewer(file, "ALTER TABLE sessions RENAME COLUMN facts TO content");
  await assert.rejects(store.sessions.get("s1"), newer);
  assert.equal(await store.users.get("alice"), null);
});

test("the migration of an older process does not lower the version of the schema", async (t) => {
  const { store, file } = await open(t);
  await migrateToNewer(file, "ALTER TABLE users ADD COLUMN later TEXT");
  const db = new DatabaseSync(file);
  t.after(() => db.close());
  migrate(db);
  assert.equal(db.prepare("PRAGMA user_version").get()?.["user_version"], MIGRATIONS.length + 1);
  await assert.rejects(store.markers.claim("after", "this version"), newer);
});

test("fault 71: a column that a newer version adds changes no answer and no dump", async (t) => {
  const { store, file } = await open(t);
  const db = new DatabaseSync(file);
  t.after(() => db.close());
  // These tables have more columns, but the version of the schema is still known, so writes go on as well.
  for (const table of ["users", "sessions", "cutoffs", "keys", "revocations", "audit", "markers"]) {
    db.exec(`ALTER TABLE ${table} ADD COLUMN later TEXT DEFAULT 'later'`);
  }
  const user = {
    username: "alice",
    subject: "a",
    passwordHash: "h",
    scopes: ["read"],
    createdAt: 1,
    mac: "m",
    loginKey: "alice",
    disabledAt: null,
  };
  assert.equal(await store.users.add(user), "added");
  const session = await logIn(store, "s1");
  await store.sessions.endAll("bob", "logout_all", {
    issuer: "https://id.example.com",
    until: Date.now() + 1e6,
  });
  await store.revocations.append(await makeRevocation(store, "token", "t1"));
  await store.markers.claim("id", "a");
  const event = {
    at: 1,
    kind: "login",
    subject: "a",
    session: "s1",
    source: null,
    actor: null,
    detail: null,
  } as const;
  await store.audit.append(event);
  const key = { kid: "k", algorithm: "ES256", sealed: "x", createdAt: 1, activatedAt: 1, retiredAt: null };
  assert.deepEqual(await store.keys.initialise([key]), [key]);
  assert.deepEqual(await store.sessions.get("s1"), session);
  assert.deepEqual(await store.audit.recent(1), [event]);
  const dump = readDump(db);
  const contents = JSON.stringify([
    [...dump.users],
    [...dump.sessions],
    [...dump.cutoffs],
    dump.keys,
    dump.markers,
  ]);
  assert.ok(contents.includes("alice") && contents.includes("s1"));
  assert.ok(!contents.includes("later"), contents);
});

test("every statement on SQLite names its columns", () => {
  const folder = join(import.meta.dirname, "../../src/stores/sqlite");
  for (const name of readdirSync(folder)) {
    const source = readFileSync(join(folder, name), "utf8");
    // The first migration creates the table `log` with one column, and a released migration never changes.
    const found = source
      .replace("INSERT INTO log VALUES (lower(hex(randomblob(16))))", "")
      .match(/SELECT \*|INSERT INTO \S+ VALUES/g);
    assert.equal(found, null, name);
  }
});

/** The statements of the first version that write sessions, revocations and users. They are archived here. */
const FIRST_VERSION = {
  session: `INSERT INTO sessions VALUES (?, 'alice', 1, 4000000000000, '{}', 'mac', 1, 'digest', NULL, NULL, 1, NULL,
    NULL, 1, 4000000000000, 0, 0, NULL, NULL) ON CONFLICT (id) DO NOTHING`,
  rotation: `UPDATE sessions SET generation = 2, currentDigest = 'old', previousDigest = 'digest', sealedSuccessor = 's',
    rotatedAt = 2, graceEndsAt = 3, olderGraceEndsAt = NULL, issuedAtS = 2, idleExpiresAt = 4000000000001,
    graceStreak = 0, graceHit = 0, endedAt = NULL, endReason = NULL WHERE id = ?`,
  user: "INSERT INTO users VALUES ('alice', 'a', 'hash', '[]', 1, ?) ON CONFLICT DO NOTHING",
};

test("fault 71: a process of the first version fails its writes beside this version, and changes nothing", async (t) => {
  const folder = temporaryFolder();
  const file = join(folder.path, "holdfast.db");
  const old = new DatabaseSync(file, { timeout: 5000 });
  old.exec("PRAGMA journal_mode = WAL");
  migrate(old, MIGRATIONS.slice(0, 1));
  const [session, rotation, user] = [
    old.prepare(FIRST_VERSION.session),
    old.prepare(FIRST_VERSION.rotation),
    old.prepare(FIRST_VERSION.user),
  ];
  session.run("s1");
  user.run("mac");
  const store = await sqliteStore({ file });
  t.after(async () => {
    await store.close();
    if (old.isOpen) old.close();
    folder.remove();
  });
  const before = await store.sessions.get("s1");
  assert.equal(before?.currentDigest, "digest");
  assert.equal((await store.users.get("alice"))?.mac, "mac");
  for (const [name, write] of [
    ["session", () => session.run("s2")],
    ["rotation", () => rotation.run("s1")],
    ["user", () => user.run("another mac")],
  ] as const) {
    assert.throws(write, { code: "ERR_SQLITE_ERROR" }, name);
  }
  assert.deepEqual(await store.sessions.get("s1"), before);
  assert.equal(await store.sessions.get("s2"), null);
  assert.equal(await store.markers.claim("this version", "writes"), "writes");
});
