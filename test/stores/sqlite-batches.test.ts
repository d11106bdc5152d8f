import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test, type TestContext } from "node:test";
import { SqliteConnection, type SqliteConnectionOptions } from "../../src/stores/sqlite/connection.ts";
import { systemClock } from "../../src/core/clock.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";
import { temporaryFolder } from "./temporary-folder.ts";

/** A connection to a new file, and the number of its transactions so far. */
function openNew(
  t: TestContext,
  more: Partial<SqliteConnectionOptions> = {},
): { connection: SqliteConnection; batches: () => number; file: string } {
  const folder = temporaryFolder();
  let batches = 0;
  const file = join(folder.path, "holdfast.db");
  const connection = new SqliteConnection({
    file,
    description: "a file",
    clock: new FakeClock(),
    random: () => 0,
    lockTimeoutMs: 0,
    awaitBatch: async () => {
      batches++;
      await Promise.resolve();
    },
    ...more,
  });
  t.after(async () => {
    await connection.close();
    folder.remove();
  });
  return { connection, batches: () => batches, file };
}

test("law 6: a burst of writes shares transactions of at most 128 commands", async (t) => {
  const { connection, batches } = openNew(t);
  const ranIn = await Promise.all(
    Array.from({ length: 1_000 }, async () => await connection.write(() => batches())),
  );
  const sizes = Array.from({ length: 8 }, (_, i) => ranIn.filter((batch) => batch === i + 1).length);
  assert.deepEqual(sizes, [128, 128, 128, 128, 128, 128, 128, 104]);
});

test("fault 42, law 12: a transaction that could not be rolled back keeps no later write out, and its own do not happen", async (t) => {
  const { connection } = openNew(t);
  const insert = connection.prepare("INSERT INTO markers (name, value) VALUES (?, ?)");
  const exec = t.mock.method(DatabaseSync.prototype, "exec");
  exec.mock.mockImplementationOnce(() => {
    throw new Error("disk I/O error");
  });
  const failing = connection.write(() => {
    insert.run("lost", "x");
    throw new Error("the command failed");
  });
  await assert.rejects(failing, /the command failed/);
  exec.mock.restore();
  await connection.write(() => insert.run("kept", "x"));
  const names = await connection.read(() => connection.prepare("SELECT name FROM markers").all());
  assert.deepEqual(
    names.map(({ name }) => name).filter((name) => name === "lost" || name === "kept"),
    ["kept"],
  );
});

test("law 1: a write fails because of another one of its batch only when that one is committed", async (t) => {
  const { connection } = openNew(t);
  const insert = connection.prepare("INSERT INTO markers (name, value) VALUES (?, ?)");
  const find = connection.prepare("SELECT value FROM markers WHERE name = 'one'");
  const add = async (value: string) =>
    await connection.write(() => {
      if (find.get() !== undefined) throw new Error(`the name is taken, ${value} is late`);
      insert.run("one", value);
    });
  const first = add("first");
  const second = add("second").catch(async () => await connection.read(() => find.get()?.["value"]));
  const third = connection.write(() => insert.run("two", "third"));
  assert.equal(await second, "first");
  await Promise.all([first, third]);
});

test("a thread pauses between its batches only while another connection writes to the file, too", async (t) => {
  let [pauses, now] = [0, 1_000];
  t.mock.method(systemClock, "monotonic", () => now);
  const random = () => {
    pauses++;
    return 0;
  };
  const { connection, file } = openNew(t, { ownThread: true, random });
  const insert = connection.prepare("INSERT INTO markers (name, value) VALUES (?, 'x')");
  const writeTwoBatches = async (name: string) => {
    pauses = 0;
    for (const part of ["a", "b"]) await connection.write(() => insert.run(`${name} ${part}`));
    return pauses;
  };
  // A connection does not know who wrote to the file before it was opened.
  await writeTwoBatches("after the opening");
  now += 60_000;
  assert.equal(await writeTwoBatches("alone"), 0);
  const other = new DatabaseSync(file);
  t.after(() => other.close());
  other.exec("INSERT INTO markers (name, value) VALUES ('of another', 'x')");
  assert.equal(await writeTwoBatches("beside it"), 1);
  now += 60_000;
  assert.equal(await writeTwoBatches("a minute later"), 0);
});
