import assert from "node:assert/strict";
import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test, type TestContext } from "node:test";
import { isHoldfastError, type ErrorCode } from "../../src/core/errors.ts";
import { logIn } from "../../src/stores/conformance/fixtures.ts";
import { sqliteStore } from "../../src/stores/sqlite.ts";
import { temporaryFolder } from "./temporary-folder.ts";

function fileOf(t: TestContext): string {
  const folder = temporaryFolder();
  t.after(folder.remove);
  return join(folder.path, "holdfast.db");
}

async function assertRefused(file: string, code: ErrorCode): Promise<void> {
  await assert.rejects(sqliteStore({ file }), (error) => {
    assert.ok(isHoldfastError(error, code), String(error));
    assert.ok(error.message.includes(file), error.message);
    return true;
  });
}

test("law 5: only the owner can read the file and its companion files", async (t) => {
  const file = fileOf(t);
  const store = await sqliteStore({ file });
  await store.markers.claim("id", "a");
  for (const name of readdirSync(join(file, ".."))) {
    assert.equal(statSync(join(file, "..", name)).mode & 0o777, 0o600, name);
  }
  await store.close();
});

test("fault 42: a file that is not a database is refused and not changed", async (t) => {
  const file = fileOf(t);
  const text = "this is not a database. ".repeat(100);
  writeFileSync(file, text);
  await assertRefused(file, "store_corrupt");
  assert.equal(readFileSync(file, "utf8"), text);
});

test("fault 42: a damaged file is refused", async (t) => {
  const file = fileOf(t);
  const store = await sqliteStore({ file });
  for (let i = 0; i < 50; i++) await logIn(store, `session ${i}`);
  await store.close();
  const bytes = readFileSync(file);
  bytes.fill(0xff, 3 * 4096, 5 * 4096);
  writeFileSync(file, bytes);
  await assertRefused(file, "store_corrupt");
});

for (const [what, message, exchange] of [
  [
    "removed",
    /was removed while it was open: .* restore a backup and restart/,
    (file: string) => rmSync(file),
  ],
  [
    "replaced by a copy",
    /was replaced while it was open: .* restart to use the new file/,
    (file: string) => {
      copyFileSync(file, `${file}.copy`);
      renameSync(`${file}.copy`, file);
    },
  ],
] as const) {
  test(`fault 62, law 12: a store whose file is ${what} acknowledges no write until the file is back`, async (t) => {
    const file = fileOf(t);
    const store = await sqliteStore({ file });
    t.after(async () => await store.close());
    linkSync(file, `${file}.kept`);
    exchange(file);
    const refused = (error: unknown) => {
      assert.ok(isHoldfastError(error, "store_unavailable"), String(error));
      assert.match(error.message, message);
      return true;
    };
    await assert.rejects(store.markers.claim("id", "a"), refused);
    await assert.rejects(store.now(), refused);
    renameSync(`${file}.kept`, file);
    assert.equal(await store.markers.read("id"), null);
    assert.equal(await store.markers.claim("id", "b"), "b");
  });
}

test("fault 42: a truncated file is refused", async (t) => {
  const file = fileOf(t);
  const store = await sqliteStore({ file });
  for (let i = 0; i < 50; i++) await logIn(store, `session ${i}`);
  await store.close();
  truncateSync(file, statSync(file).size - 3 * 4096);
  await assertRefused(file, "store_corrupt");
});

test("the database of another program is refused and not changed", async (t) => {
  const file = fileOf(t);
  const other = new DatabaseSync(file);
  other.exec("CREATE TABLE theirs (a); INSERT INTO theirs VALUES (1)");
  other.close();
  const before = readFileSync(file);
  await assertRefused(file, "store_corrupt");
  assert.deepEqual(readFileSync(file), before);
});

test("a file of a newer version is refused and not changed", async (t) => {
  const file = fileOf(t);
  await (await sqliteStore({ file })).close();
  const db = new DatabaseSync(file);
  db.exec("PRAGMA user_version = 99");
  db.close();
  const before = readFileSync(file);
  await assertRefused(file, "store_newer");
  assert.deepEqual(readFileSync(file), before);
});

test("a file without its tables is refused", async (t) => {
  const file = fileOf(t);
  await (await sqliteStore({ file })).close();
  const db = new DatabaseSync(file);
  db.exec("DROP TABLE sessions");
  db.close();
  await assertRefused(file, "store_unavailable");
});

test("a folder, and a file in a missing folder, are refused", async (t) => {
  const file = fileOf(t);
  mkdirSync(file);
  await assertRefused(file, "store_unavailable");
  await assertRefused(join(file, "missing", "holdfast.db"), "store_unavailable");
});

test("a file in a missing folder is refused with the folder to create, and nothing is created", async (t) => {
  const folder = join(fileOf(t), "../data");
  await assert.rejects(sqliteStore({ file: join(folder, "holdfast.db") }), (error) => {
    assert.ok(isHoldfastError(error, "store_unavailable"));
    assert.ok(error.message.includes(`the folder ${folder} does not exist`), error.message);
    return true;
  });
  assert.equal(existsSync(folder), false);
});

test("file names with a special meaning in SQLite are plain files", async (t) => {
  const folder = join(fileOf(t), "..");
  for (const name of [":memory:", "file:x?mode=memory"]) {
    const store = await sqliteStore({ file: join(folder, name) });
    await store.markers.claim("id", "a");
    await store.close();
    assert.ok(readdirSync(folder).includes(name), name);
  }
});

test("sqliteStore rejects wrong options", async () => {
  const refused = (error: unknown) => isHoldfastError(error, "invalid_option");
  await assert.rejects(sqliteStore({ file: "" }), refused);
  await assert.rejects(sqliteStore({ file: "x", lockTimeoutMs: -1 }), refused);
  await assert.rejects(sqliteStore({ file: "x", timeout: 1 } as { file: string }), refused);
});

test("ten connections that open a new file concurrently share one store", async (t) => {
  const file = fileOf(t);
  const stores = await Promise.all(Array.from({ length: 10 }, async () => await sqliteStore({ file })));
  const epochs = await Promise.all(
    stores.map(async (store) => (await store.revocations.snapshot()).position.epoch),
  );
  assert.equal(new Set(epochs).size, 1);
  await Promise.all(stores.map(async (store) => await store.close()));
});

test("a user whose scopes are damaged is store_corrupt, and hides no other user", async (t) => {
  const file = fileOf(t);
  const store = await sqliteStore({ file });
  t.after(async () => await store.close());
  const user = { passwordHash: "h", scopes: ["read"], createdAt: 1, mac: "m", disabledAt: null };
  for (const username of ["ann", "bob", "cem"]) {
    await store.users.add({ ...user, username, subject: username, loginKey: username });
  }
  const db = new DatabaseSync(file);
  db.exec("UPDATE users SET scopes = '[' WHERE username = 'bob'");
  db.close();
  await assert.rejects(store.users.get("bob"), (error) => {
    assert.ok(isHoldfastError(error, "store_corrupt"));
    assert.equal(error.message, "SQLite: the record of a user is damaged");
    return true;
  });
  assert.deepEqual(
    (await store.users.list({ limit: 3 })).map(({ username, mac }) => [username, mac]),
    [
      ["ann", "m"],
      ["bob", ""],
      ["cem", "m"],
    ],
  );
});
