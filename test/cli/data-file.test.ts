import assert from "node:assert/strict";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { localFiles } from "../../src/server/store/local-store.ts";
import { temporaryDataDir } from "../server/temporary-settings.ts";
import { startService } from "../support/service-process.ts";
import { runHoldfast } from "./cli-process.ts";

/** Runs a service once, so that its data file is complete. */
async function usedData(): Promise<string> {
  const data = await temporaryDataDir();
  const service = await startService(data);
  assert.equal(await service.stop(), 0);
  return data;
}

const damages: [string, RegExp, (file: string) => Promise<void> | void][] = [
  ["fault 62: a deleted data file", /missing, empty, or not the store/, async (file) => await rm(file)],
  [
    "fault 62: an emptied data file",
    /missing, empty, or not the store/,
    async (file) => await writeFile(file, ""),
  ],
  [
    "fault 42: a data file that is no database",
    /not a database|damaged|corrupt/i,
    async (file) => await writeFile(file, "nonsense".repeat(1000)),
  ],
  [
    "fault 42: a data file that is damaged in the middle",
    /damaged|corrupt|malformed/i,
    async (file) => {
      const bytes = await readFile(file);
      await writeFile(file, bytes.fill(0xa5, 4096, bytes.length - 4096));
    },
  ],
  [
    "a data file of a newer version",
    /newer/,
    (file) => {
      const db = new DatabaseSync(file);
      db.exec("PRAGMA user_version = 9999");
      db.close();
    },
  ],
  [
    "a directory in the place of the data file",
    /holdfast\.db/,
    async (file) => {
      await rm(file);
      await mkdir(file);
    },
  ],
];
for (const [what, message, damage] of damages) {
  test(`${what} is rejected at start by the name of the file, without a stack trace`, async () => {
    const data = await usedData();
    const file = localFiles(data).data;
    for (const suffix of ["-wal", "-shm"]) await rm(file + suffix, { force: true });
    await damage(file);
    const { code, out, err } = await runHoldfast(["serve"], { data });
    assert.equal(code, 1, out);
    assert.match(err, message);
    assert.ok(err.includes(file), err);
    assert.doesNotMatch(err, /\n\s+at /);
  });
}

test("rejects an occupied port at start by address and setting, before any data exist", async (t) => {
  const other = createServer().listen(0, "127.0.0.1");
  t.after(() => other.close());
  await once(other, "listening");
  const { port } = other.address() as AddressInfo;
  const data = await temporaryDataDir();
  const { code, err } = await runHoldfast(["serve"], { data, settings: { HOLDFAST_PORT: String(port) } });
  assert.equal(code, 1);
  assert.match(err, new RegExp(`^holdfast: cannot listen on http://127.0.0.1:${port}: it is in use`));
  assert.match(err, /choose another HOLDFAST_PORT\n$/);
  await assert.rejects(readFile(localFiles(data).data), { code: "ENOENT" });
});

test("rejects data under another secret at start", async () => {
  const data = await usedData();
  const { code, err } = await runHoldfast(["serve"], {
    data,
    settings: { HOLDFAST_SECRET: "another".repeat(6) },
  });
  assert.equal(code, 1);
  assert.match(err, /secret/i);
  assert.doesNotMatch(err, /anotheranother/);
});

test("a command without data names the missing file, and creates none", async () => {
  const data = await temporaryDataDir();
  const { code, err } = await runHoldfast(["user", "list"], { data });
  assert.equal(code, 1);
  assert.ok(err.includes(localFiles(data).data), err);
});

test("the value of an option may begin with a dash, as some ids do", async () => {
  const data = await temporaryDataDir();
  const { code, err } = await runHoldfast(["revoke", "--key", "-Zt4qK0"], { data });
  assert.equal(code, 1);
  assert.ok(err.includes(localFiles(data).data), err);
});
