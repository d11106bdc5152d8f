import assert from "node:assert/strict";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { makeDirectory } from "../../src/stores/make-directory.ts";
import { within } from "../support/deadline.ts";

async function folder(t: TestContext): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), "holdfast-directory-"));
  t.after(async () => await rm(root, { recursive: true, force: true }));
  return root;
}

test("makes a directory and those above it, for their owner only, and accepts one that exists", async (t) => {
  const root = await folder(t);
  const path = join(root, "a", "b", "c");
  await Promise.all([makeDirectory(path), makeDirectory(path), makeDirectory(join(root, "a", "b"))]);
  await makeDirectory(path);
  for (const one of [path, join(root, "a", "b"), join(root, "a")]) {
    assert.equal((await stat(one)).mode & 0o777, 0o700, one);
  }
});

test("rejects when a file has the place of the directory, or of one above it", async (t) => {
  const file = join(await folder(t), "file");
  await writeFile(file, "");
  await assert.rejects(makeDirectory(file), { code: "EEXIST" });
  await assert.rejects(makeDirectory(join(file, "a")), { code: "ENOTDIR" });
  await assert.rejects(makeDirectory(join(file, "a", "b")), { code: "ENOTDIR" });
});

test(
  "rejects where the file system refuses every name with ENOENT",
  { skip: process.platform === "linux" ? false : "only Linux has /proc" },
  async () => {
    for (const path of ["/proc/holdfast", "/proc/holdfast/data/deep"]) {
      await assert.rejects(within(makeDirectory(path), 20_000, path), { code: "ENOENT" });
    }
  },
);
