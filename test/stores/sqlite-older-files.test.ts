import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test, type TestContext } from "node:test";
import { writeOlderSqliteFile } from "../../sim/older/sqlite-file.ts";
import {
  acknowledge,
  createSession,
  listIds,
  logIn,
  present,
  subjectScope,
} from "../../src/stores/conformance/fixtures.ts";
import { MIGRATIONS, migrate } from "../../src/stores/sqlite/schema.ts";
import { sqliteStore } from "../../src/stores/sqlite.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";
import { temporaryFolder } from "./temporary-folder.ts";

const versions = MIGRATIONS.slice(1).map((_, index) => index + 1);

const USER = { username: "ann", subject: "a", passwordHash: "h", scopes: ["read"], createdAt: 1, mac: "m" };

function newFile(t: TestContext, name = "holdfast.db"): string {
  const folder = temporaryFolder();
  t.after(() => folder.remove());
  return join(folder.path, name);
}

/** The tables, columns and indexes of a file, in an order that does not depend on the order of the columns. */
function describeSchema(file: string): unknown {
  const db = new DatabaseSync(file);
  const names = db.prepare("SELECT type, name FROM sqlite_schema ORDER BY type, name").all();
  const columns = names.map(({ name }) =>
    db.prepare(`SELECT name, type, "notnull", pk FROM pragma_table_xinfo(?) ORDER BY name`).all(String(name)),
  );
  const version = db.prepare("PRAGMA user_version").get();
  db.close();
  return JSON.parse(JSON.stringify({ names, columns, version }));
}

for (const version of versions) {
  test(`law 8: sessions, users, cut-offs and keys in a file of schema ${version} keep their rights`, async (t) => {
    const file = newFile(t);
    const clock = new FakeClock();
    const before = await sqliteStore({ file, clock });
    for (const id of ["lost", "arrived", "ended"]) await logIn(before, id);
    await present(before, "lost", 1);
    await present(before, "arrived", 1);
    await acknowledge(before, "arrived", 2);
    await logIn(before, "other", "bob");
    await before.sessions.endAll("bob", "logout_all", await subjectScope(before));
    await before.sessions.end("ended", "logout", {
      kind: "session",
      id: "ended",
      ...(await subjectScope(before)),
    });
    await before.users.add({ ...USER, loginKey: "ann", disabledAt: null });
    const key = { kid: "k", algorithm: "ES256", sealed: "x", createdAt: 1, activatedAt: 1, retiredAt: null };
    await before.keys.initialise([key]);
    const log = await before.revocations.snapshot();
    await before.close();

    writeOlderSqliteFile(file, version);
    const reference = newFile(t);
    const db = new DatabaseSync(reference);
    migrate(db, MIGRATIONS.slice(0, version));
    db.close();
    assert.deepEqual(describeSchema(file), describeSchema(reference), "the file has the older schema");

    const store = await sqliteStore({ file, clock });
    t.after(async () => await store.close());
    assert.deepEqual((await listIds(store)).toSorted(), ["arrived", "lost"]);
    const repeated = await present(store, "lost", 1);
    assert.equal(repeated.outcome === "repeated" && repeated.sealedSuccessor, "sealed lost/2");
    for (const id of ["lost", "arrived"]) assert.equal((await present(store, id, 2)).outcome, "rotated");
    assert.equal((await present(store, "ended", 1)).outcome, "ended");
    assert.equal((await present(store, "other", 1)).outcome, "ended");
    const user = await store.users.get("ann");
    assert.deepEqual(user, { ...USER, loginKey: version === 1 ? null : "ann", disabledAt: null });
    assert.deepEqual(await store.keys.list(), [key]);
    const { position, entries } = await store.revocations.snapshot();
    assert.deepEqual(position, log.position, "a guard goes on at its position");
    assert.equal(entries.length, log.entries.length);
    assert.equal(await store.sessions.endAll("alice", "logout_all", await subjectScope(store)), 2);
    assert.equal((await present(store, "lost", 3)).outcome, "ended");
    await logIn(store, "later", "bob");
  });
}

for (const version of versions.filter((one) => one < 5)) {
  test(`law 3: a cut-off in a file of schema ${version} gets its time as its number, and its entry gets none`, async (t) => {
    const file = newFile(t);
    const clock = new FakeClock();
    const before = await sqliteStore({ file, clock });
    await logIn(before, "first", "bob");
    await before.sessions.endAll("bob", "logout_all", await subjectScope(before));
    await before.close();
    writeOlderSqliteFile(file, version);

    const store = await sqliteStore({ file, clock });
    t.after(async () => await store.close());
    const at = clock.now();
    const [entry] = (await store.revocations.snapshot()).entries;
    assert.equal(entry?.revocation.kind, "subject");
    assert.ok(!Object.hasOwn(entry.revocation, "number"), "guards compare the time of issue");
    assert.deepEqual(await createSession(store, "early", at - 1, "bob"), {
      status: "superseded",
      number: at,
    });
    clock.setWall(at - 60_000);
    assert.equal(await store.sessions.mark(), at);
    await store.sessions.endAll("bob", "logout_all", await subjectScope(store));
    assert.ok((await store.sessions.mark()) > at, "a clock that was set back lowers no number");
  });
}
