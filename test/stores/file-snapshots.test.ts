import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { isHoldfastError } from "../../src/core/errors.ts";
import { testSnapshots } from "../../src/stores/conformance/index.ts";
import { fileSnapshots } from "../../src/stores/file-snapshots.ts";
import { temporaryFolder } from "./temporary-folder.ts";

testSnapshots("fileSnapshots", () => {
  const folder = temporaryFolder();
  return { snapshots: fileSnapshots({ dir: join(folder.path, "snapshots") }), close: folder.remove };
});

function folderOf(t: TestContext): string {
  const folder = temporaryFolder();
  t.after(folder.remove);
  return folder.path;
}

test("law 5: folder and files are readable by their owner only, and no draft remains", async (t) => {
  const dir = join(folderOf(t), "a", "snapshots");
  await fileSnapshots({ dir }).save("keys", { keys: [] });
  assert.equal(statSync(dir).mode & 0o777, 0o700);
  assert.equal(statSync(join(dir, "keys.json")).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(dir), ["keys.json"]);
});

test("fault 42: a snapshot is on the disk before it replaces the last one", async (t) => {
  const dir = folderOf(t);
  const snapshots = fileSnapshots({ dir });
  await snapshots.save("keys", "first");
  const handle = await open(join(dir, "keys.json"));
  const prototype = Object.getPrototypeOf(handle) as FileHandle;
  await handle.close();
  const sync = t.mock.method(prototype, "sync", async function (this: FileHandle) {
    const drafts = readdirSync(dir).filter((name) => name !== "keys.json");
    assert.deepEqual(
      drafts.map((name) => readFileSync(join(dir, name), "utf8")),
      ['"second"'],
    );
    assert.equal(readFileSync(join(dir, "keys.json"), "utf8"), '"first"');
    await this.datasync();
  });
  await snapshots.save("keys", "second");
  assert.equal(sync.mock.callCount(), 1);
  assert.equal(await snapshots.load("keys"), "second");
});

test("a damaged file is reported by name, without its content, and can be replaced", async (t) => {
  const dir = folderOf(t);
  const snapshots = fileSnapshots({ dir });
  writeFileSync(join(dir, "keys.json"), '{"secret":');
  await assert.rejects(
    snapshots.load("keys"),
    (error) =>
      isHoldfastError(error, "store_corrupt") &&
      error.message.includes(join(dir, "keys.json")) &&
      !error.message.includes("secret"),
  );
  await snapshots.save("keys", 1);
  assert.equal(await snapshots.load("keys"), 1);
});

test("a folder that cannot be written fails as store_unavailable, with its name, and is unchanged", async (t) => {
  const dir = join(folderOf(t), "file");
  writeFileSync(dir, "not a folder");
  await assert.rejects(
    fileSnapshots({ dir }).save("keys", 1),
    (error) => isHoldfastError(error, "store_unavailable") && error.message.includes(dir),
  );
});

test("fileSnapshots needs a folder", () => {
  assert.throws(
    () => fileSnapshots({ dir: "" }),
    (error) => isHoldfastError(error, "invalid_option"),
  );
});
