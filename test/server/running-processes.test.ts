import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { randomNonce } from "../../src/server/process-proof.ts";
import { announceProcess, listRunningProcesses } from "../../src/server/running-processes.ts";

const listener = { address: "http://127.0.0.1:4181" };

async function makeDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "holdfast-processes-"));
  t.after(async () => await rm(directory, { recursive: true, force: true }));
  return directory;
}

/** Writes an announcement as a process with these facts would. */
async function forge(directory: string, facts: object): Promise<string> {
  const nonce = randomNonce();
  const content = { pid: process.pid, host: hostname(), ...listener, nonce, ...facts };
  const name = `${Math.abs(content.pid)}-${Buffer.from(nonce).toString("hex").slice(0, 16)}`;
  await writeFile(join(directory, name), JSON.stringify(content));
  return name;
}

const deadPid = (): number => spawnSync(process.execPath, ["--version"]).pid;

test("processes that share the directory keep their own announcements", async (t) => {
  const directory = await makeDirectory(t);
  // A container on the same port and with the same pid.
  const other = await forge(directory, { host: "another-container" });
  const withdraw = await announceProcess(directory, listener, randomNonce());
  const second = { address: "http://127.0.0.1:4182" };
  const withdrawSecond = await announceProcess(directory, second, randomNonce());
  assert.equal((await listRunningProcesses(directory)).length, 3);
  await withdraw();
  assert.deepEqual(
    (await listRunningProcesses(directory)).map(({ address }) => address),
    [listener.address, second.address],
  );
  await withdrawSecond();
  assert.deepEqual(await readdir(directory), [other]);
});

test("only the owner can read an announcement, and its name does not contain the nonce", async (t) => {
  const directory = await makeDirectory(t);
  const nonce = randomNonce();
  await announceProcess(directory, listener, nonce);
  const [name = "", ...others] = await readdir(directory);
  assert.deepEqual(others, []);
  assert.equal((await stat(join(directory, name))).mode & 0o777, 0o600);
  assert.ok(name.startsWith(`${process.pid}-`) && !name.includes(nonce));
  assert.ok((await readFile(join(directory, name), "utf8")).includes(nonce));
});

test("a start removes what dead processes of this host left behind", async (t) => {
  const directory = await makeDirectory(t);
  const pid = deadPid();
  await forge(directory, { pid });
  await forge(directory, { address: listener.address });
  const elsewhere = await forge(directory, { pid, host: "another-container" });
  const alive = await forge(directory, { address: "http://127.0.0.1:4199" });
  await announceProcess(directory, listener, randomNonce());
  const names = await readdir(directory);
  assert.equal(names.length, 3);
  assert.ok(names.includes(elsewhere) && names.includes(alive));
});

test("a pid that belongs to another user is not a process of the service", async (t) => {
  const directory = await makeDirectory(t);
  await forge(directory, {});
  assert.equal((await listRunningProcesses(directory)).length, 1);
  t.mock.method(process, "kill", () => {
    throw Object.assign(new Error("kill EPERM"), { code: "EPERM" });
  });
  assert.deepEqual(await listRunningProcesses(directory), []);
});

for (const facts of [
  { address: "http://192.0.2.1:4181" },
  { address: "https://127.0.0.1:4181" },
  { address: "http://127.0.0.1:4181@evil.example" },
  { address: "http://127.0.0.1.evil.example:4181" },
  { address: 7 },
  { nonce: "short" },
  { pid: 0 },
  { pid: -1 },
]) {
  test(`an announcement with ${JSON.stringify(facts)} is ignored`, async (t) => {
    const directory = await makeDirectory(t);
    await forge(directory, facts);
    assert.deepEqual(await listRunningProcesses(directory), []);
  });
}
