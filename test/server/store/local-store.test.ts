import assert from "node:assert/strict";
import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { localFiles, openLocalStore, type LocalFiles } from "../../../src/server/store/local-store.ts";

async function folder(t: TestContext): Promise<{ dataDir: string; files: LocalFiles }> {
  const root = await mkdtemp(join(tmpdir(), "holdfast-local-"));
  t.after(async () => await rm(root, { recursive: true, force: true }));
  const dataDir = join(root, "data");
  return { dataDir, files: localFiles(dataDir) };
}

const newStore = { create: true, secret: undefined };

/** Opens and closes the store, and returns what it contained. */
async function start(dataDir: string, options: { create: boolean; secret: string | undefined } = newStore) {
  const { store, secret } = await openLocalStore(dataDir, options);
  const id = await store.markers.read("id");
  await store.close();
  return { secret, id };
}

test("a first start creates the store, a secret and a marker, readable by their owner only", async (t) => {
  const { dataDir, files } = await folder(t);
  const { secret, id } = await start(dataDir);
  assert.equal(Buffer.from(secret, "base64url").length, 32);
  assert.equal((await readFile(files.secret, "utf8")).trim(), secret);
  assert.equal((await readFile(files.marker, "utf8")).trim(), id);
  for (const file of [files.secret, files.marker]) assert.equal((await stat(file)).mode & 0o777, 0o600);
  assert.equal((await stat(`${dataDir}.local`)).mode & 0o777, 0o700);
  assert.deepEqual((await readdir(`${dataDir}.local`)).toSorted(), ["secret", "store"]);
  assert.deepEqual(await start(dataDir), { secret, id });
});

test("law 5: the secret is not in the data directory", async (t) => {
  const { dataDir } = await folder(t);
  const { secret } = await start(dataDir);
  for (const name of await readdir(dataDir)) {
    assert.ok(!(await readFile(join(dataDir, name), "latin1")).includes(secret), name);
  }
});

test("uses a configured secret, and never writes it to a file", async (t) => {
  const { dataDir } = await folder(t);
  const secret = "configured".repeat(4);
  assert.equal((await start(dataDir, { create: true, secret })).secret, secret);
  assert.deepEqual(await readdir(`${dataDir}.local`), ["store"]);
});

test("processes that start together on an empty directory use the same store and secret", async (t) => {
  const { dataDir } = await folder(t);
  const all = await Promise.all(Array.from({ length: 6 }, async () => await start(dataDir)));
  assert.equal(new Set(all.map(({ secret }) => secret)).size, 1);
  assert.equal(new Set(all.map(({ id }) => id)).size, 1);
  assert.deepEqual((await readdir(`${dataDir}.local`)).toSorted(), ["secret", "store"]);
});

const losses: [string, (files: LocalFiles, dataDir: string) => Promise<void>][] = [
  ["data file deleted", async (files) => await rm(files.data)],
  ["data directory deleted", async (_, dataDir) => await rm(dataDir, { recursive: true })],
  ["data file emptied", async (files) => await truncate(files.data)],
];
for (const [what, lose] of losses) {
  test(`fault 62: ${what}: refuses to start, names both files, and creates no data`, async (t) => {
    const { dataDir, files } = await folder(t);
    await start(dataDir);
    for (const suffix of ["-wal", "-shm"]) await rm(files.data + suffix, { force: true });
    await lose(files, dataDir);
    await assert.rejects(start(dataDir), (error: Error & { code: string }) => {
      assert.equal(error.code, "store_emptied");
      assert.ok(error.message.includes(files.data) && error.message.includes(files.marker));
      return true;
    });
    assert.equal((await stat(files.data).catch(() => null))?.size ?? 0, 0);
    await rm(files.marker);
    assert.equal(typeof (await start(dataDir)).id, "string");
  });
}

test("fault 62: refuses another store in the place of its own", async (t) => {
  const ours = await folder(t);
  const other = await folder(t);
  await start(ours.dataDir);
  await start(other.dataDir);
  await writeFile(ours.files.data, await readFile(other.files.data));
  await assert.rejects(start(ours.dataDir), { code: "store_emptied" });
});

test("refuses data without their secret, and does not hide the loss by a new secret", async (t) => {
  const { dataDir, files } = await folder(t);
  await start(dataDir);
  await rm(files.secret);
  await assert.rejects(start(dataDir), {
    code: "store_mismatch",
    message: /put back .*secret.*HOLDFAST_SECRET/,
  });
  await assert.rejects(readFile(files.secret), { code: "ENOENT" });
});

test("a command creates no data where there are none", async (t) => {
  const { dataDir } = await folder(t);
  await assert.rejects(start(dataDir, { create: false, secret: undefined }), {
    code: "store_unavailable",
    message: /there is no data file .*HOLDFAST_DATA_DIR/,
  });
  await assert.rejects(stat(dataDir), { code: "ENOENT" });
});

test("names a data directory that cannot be created", async (t) => {
  const { dataDir } = await folder(t);
  await writeFile(dataDir, "a file in the way");
  await assert.rejects(start(dataDir), (error: Error & { code: string }) => {
    assert.equal(error.code, "store_unavailable");
    return error.message.includes(dataDir);
  });
});

test("names a secret that cannot be read, and does not replace it", async (t) => {
  const { dataDir, files } = await folder(t);
  await start(dataDir);
  await rm(files.secret);
  await mkdir(files.secret);
  await chmod(files.secret, 0o700);
  await assert.rejects(start(dataDir), { code: "store_unavailable", message: /secret cannot be read/ });
});

test(
  "says what to do when the data directory exists and cannot be written",
  { skip: process.platform !== "linux" && "only Linux has a folder that root cannot write" },
  async (t) => {
    const { dataDir } = await folder(t);
    // Not even root can make a file there.
    await symlink("/sys/kernel", dataDir);
    await assert.rejects(start(dataDir), (error: Error & { code: string }) => {
      assert.equal(error.code, "store_unavailable");
      assert.match(
        error.message,
        /holdfast\.db cannot be used: (?:EACCES|EROFS|EPERM): the user of this process/,
      );
      assert.match(error.message, /correct the owner, the mode or the mount, or set HOLDFAST_DATA_DIR/);
      return error.message.includes(`write in ${dataDir} `);
    });
  },
);
