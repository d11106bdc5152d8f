import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { json } from "node:stream/consumers";
import { test, type TestContext } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { systemClock } from "../../src/core/clock.ts";
import { isHoldfastError, type ErrorCode } from "../../src/core/errors.ts";
import { logIn, makeRevocation, present } from "../../src/stores/conformance/fixtures.ts";
import { openInThread } from "../../src/stores/sqlite/thread-store.ts";
import { sqliteStore } from "../../src/stores/sqlite.ts";
import { temporaryFolder } from "./temporary-folder.ts";

const failsWith =
  (code: ErrorCode, message = /./) =>
  (error: unknown) => {
    assert.ok(isHoldfastError(error, code), String(error));
    assert.match(error.message, message);
    return true;
  };

function fileOf(t: TestContext): string {
  const folder = temporaryFolder();
  t.after(folder.remove);
  return join(folder.path, "holdfast.db");
}

/** Opens a store, and returns the function that ends its thread as a crash would. */
async function openWithCrash(t: TestContext) {
  const file = fileOf(t);
  const store = await sqliteStore({ file });
  t.after(async () => await store.close());
  const posting = t.mock.method(Worker.prototype, "postMessage");
  const crash = async () => {
    const worker = posting.mock.calls.at(-1)?.this as Worker;
    await worker.terminate();
  };
  return { store, file, crash };
}

const ISSUER = "https://id.example.com";

test("fault 65: a commit that takes 200 ms does not block the event loop", async (t) => {
  const file = fileOf(t);
  const options = { file, lockTimeoutMs: 2000, clock: systemClock, random: Math.random };
  const store = await openInThread({ ...options, commitDelayMs: 200 });
  t.after(async () => await store.close());
  // A blocked event loop would count no turn. The loop counts a hundred or more while only the thread waits.
  let turns = 0;
  const counting = setInterval(() => turns++, 0);
  t.after(() => clearInterval(counting));
  await store.markers.claim("id", "a");
  assert.ok(turns > 20, `only ${turns} turns of the event loop`);
});

test("fault 65: commands that arrive during a slow commit share the next one", async (t) => {
  const file = fileOf(t);
  const options = { file, lockTimeoutMs: 2000, clock: systemClock, random: Math.random };
  const store = await openInThread({ ...options, commitDelayMs: 400 });
  t.after(async () => await store.close());
  let turn = 0;
  const counting = setInterval(() => turn++, 0);
  t.after(() => clearInterval(counting));
  const first = store.markers.claim("first", "v").then(() => turn);
  // A busy machine may wait for longer, but hardly until the end of the first commit.
  await wait(20);
  const rest = Array.from({ length: 100 }, (_, i) => store.markers.claim(`m${i}`, "v").then(() => turn));
  const firstTurn = await first;
  // One message carries the answers of one transaction, so they settle in one turn.
  const turns = new Set(await Promise.all(rest));
  assert.equal(turns.size, 1);
  assert.ok(!turns.has(firstTurn));
});

/** How many transactions the write-ahead log holds: each one ends with a frame that states the size of the file. */
function countCommits(file: string): number {
  const log = readFileSync(`${file}-wal`);
  const frameSize = 24 + log.readUInt32BE(8);
  let commits = 0;
  for (let at = 32; at + frameSize <= log.length; at += frameSize) {
    // Frames of before a checkpoint have another salt.
    const isCurrent = log.compare(log, 16, 24, at + 8, at + 16) === 0;
    if (isCurrent && log.readUInt32BE(at + 4) > 0) commits++;
  }
  return commits;
}

test("fault 65: eight refreshes in flight share each message to the thread, each commit and each answer", async (t) => {
  const file = fileOf(t);
  const store = await sqliteStore({ file });
  t.after(async () => await store.close());
  const ids = Array.from({ length: 8 }, (_, n) => `session-${n}`);
  for (const id of ids) await logIn(store, id);
  const onReuse = await makeRevocation(store, "session", "reused");
  const commitsBefore = countCommits(file);
  const posting = t.mock.method(Worker.prototype, "postMessage");
  const emitting = t.mock.method(Worker.prototype, "emit");
  const refreshOften = async (id: string) => {
    for (let turn = 1; turn <= 20; turn++) await present(store, id, turn, { onReuse });
  };
  await Promise.all(ids.map(refreshOften));
  const received = emitting.mock.calls.filter(({ arguments: [name] }) => name === "message");
  assert.equal(posting.mock.callCount(), 20);
  assert.equal(received.length, 20);
  assert.equal(countCommits(file) - commitsBefore, 20);
});

test("fault 42: a store whose thread ends rejects pending commands, and works again", async (t) => {
  const { store, crash } = await openWithCrash(t);
  await logIn(store, "s1");
  const received: number[] = [];
  store.revocations.subscribe((entries) => received.push(...entries.map(({ seq }) => seq)));
  const pending = Array.from({ length: 5 }, (_, i) => store.markers.claim(`m${i}`, "v"));
  const settled = Promise.allSettled(pending);
  await new Promise((done) => setImmediate(done));
  await crash();
  for (const result of await settled) {
    if (result.status === "rejected") failsWith("store_unavailable", /its thread has ended/)(result.reason);
  }
  assert.equal((await present(store, "s1", 1)).outcome, "rotated");
  await store.revocations.append({ kind: "token", id: "t", issuer: ISSUER, until: Date.now() + 1e6 });
  assert.deepEqual(received, [1], "listeners stay subscribed");
});

test("fault 42: a subscription can end after the thread has ended, and the next one receives entries", async (t) => {
  const { store, crash } = await openWithCrash(t);
  await store.markers.claim("id", "a");
  const unsubscribe = store.revocations.subscribe(() => {});
  await crash();
  unsubscribe();
  const received: number[] = [];
  store.revocations.subscribe((entries) => received.push(...entries.map(({ seq }) => seq)));
  await store.revocations.append({ kind: "token", id: "t", issuer: ISSUER, until: Date.now() + 1e6 });
  assert.deepEqual(received, [1]);
});

test("fault 42: a command that comes while the thread ends waits for the next thread", async (t) => {
  const file = fileOf(t);
  const posting = t.mock.method(Worker.prototype, "postMessage");
  const store = await sqliteStore({ file });
  t.after(async () => await store.close());
  await logIn(store, "s1");
  const worker = posting.mock.calls.at(-1)?.this as Worker;
  const claimed = new Promise((resolve) =>
    worker.prependOnceListener("exit", () => resolve(store.markers.claim("late", "v"))),
  );
  await worker.terminate();
  assert.equal(await claimed, "v");
});

test("fault 62: a thread that starts again refuses a file that was exchanged meanwhile", async (t) => {
  const { store, file, crash } = await openWithCrash(t);
  await store.markers.claim("id", "a");
  await crash();
  copyFileSync(file, `${file}.copy`);
  renameSync(file, `${file}.kept`);
  renameSync(`${file}.copy`, file);
  await assert.rejects(
    store.markers.read("id"),
    failsWith("store_unavailable", /was replaced while it was open: .* restart to use the new file/),
  );
  renameSync(`${file}.kept`, file);
  assert.equal(await store.markers.read("id"), "a");
});

test("a store whose thread has ended can be closed", async (t) => {
  const { store, crash } = await openWithCrash(t);
  await store.markers.claim("id", "a");
  await crash();
  await store.close();
  await assert.rejects(store.markers.read("id"), failsWith("closed"));
});

test("closing twice resolves, and later commands reject with closed", async (t) => {
  const store = await sqliteStore({ file: fileOf(t) });
  const claims = Array.from({ length: 300 }, (_, i) => store.markers.claim(`m${i}`, "v"));
  const closing = [store.close(), store.close()];
  await assert.rejects(store.markers.read("m0"), failsWith("closed"));
  await Promise.all([...claims, ...closing]);
  await store.close();
});

for (const when of ["idle", "pending"]) {
  test(`law 12: a process ends without close when its store is ${when}, and its write is durable`, async (t) => {
    const file = fileOf(t);
    const script = join(import.meta.dirname, "exiting-process.ts");
    const child = spawn(process.execPath, [script, file, when], { stdio: ["ignore", "inherit", "inherit"] });
    assert.deepEqual(await once(child, "exit"), [0, null]);
    const db = new DatabaseSync(file);
    t.after(() => db.close());
    assert.equal(db.prepare("SELECT value FROM markers WHERE name = 'written'").get()?.["value"], when);
  });
}

test("an argument that cannot be sent fails its own command only", async (t) => {
  const store = await sqliteStore({ file: fileOf(t) });
  t.after(async () => await store.close());
  const wrong = (() => {}) as unknown as string;
  const results = await Promise.allSettled([
    store.markers.claim("a", "v"),
    store.markers.claim("b", wrong),
    store.markers.claim("c", "v"),
  ]);
  assert.deepEqual(
    results.map(({ status }) => status),
    ["fulfilled", "rejected", "fulfilled"],
  );
});

test("law 3: long lists arrive whole and in order", async (t) => {
  const store = await sqliteStore({ file: fileOf(t) });
  t.after(async () => await store.close());
  const { position } = await store.revocations.snapshot();
  const until = Date.now() + 3_600_000;
  const ids = Array.from({ length: 2500 }, (_, i) => `t${i}`);
  await Promise.all(ids.map((id) => store.revocations.append({ kind: "token", id, issuer: ISSUER, until })));
  const [snapshot, tail, time] = await Promise.all([
    store.revocations.snapshot(),
    store.revocations.after(position),
    store.now(),
  ]);
  assert.deepEqual(
    snapshot.entries.map(({ revocation }) => revocation.id),
    ids,
  );
  assert.equal(snapshot.position.seq, 2500);
  assert.deepEqual(tail, { status: "ok", entries: snapshot.entries });
  assert.ok(time > 0);
  const event = {
    kind: "login",
    subject: "a",
    session: null,
    source: null,
    detail: null,
    actor: null,
  } as const;
  await Promise.all(ids.map((_, at) => store.audit.append({ ...event, at })));
  const recent = await store.audit.recent(2100);
  assert.deepEqual(
    recent.map(({ at }) => at),
    ids.map((_, i) => 2499 - i).slice(0, 2100),
  );
});

test("a program that may not start threads is told so, and can do without one", async (t) => {
  const file = fileOf(t);
  const script = `
    const { sqliteStore } = await import(${JSON.stringify(new URL("../../src/stores/sqlite.ts", import.meta.url).href)});
    const refused = await sqliteStore({ file: ${JSON.stringify(file)} }).catch((error) => error);
    const store = await sqliteStore({ file: ${JSON.stringify(file)}, thread: false });
    await store.markers.claim("id", "a");
    await store.close();
    console.log(JSON.stringify([refused.code, refused.message]));`;
  const flags = ["--permission", "--allow-fs-read=*", "--allow-fs-write=*", "--input-type=module"];
  const child = spawn(process.execPath, [...flags, "--eval", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [code, message] = (await json(child.stdout)) as string[];
  assert.equal(code, "store_unavailable");
  assert.match(message ?? "", /--allow-worker; or set `thread: false`/);
});

/** The number of modules that a program keeps compiled when it opens a store. */
async function countCompiled(t: TestContext, thread: boolean): Promise<number> {
  const folder = temporaryFolder();
  t.after(folder.remove);
  const module = new URL("../../src/stores/sqlite.ts", import.meta.url).href;
  const file = join(folder.path, "holdfast.db");
  const program = `
    const { sqliteStore } = await import(${JSON.stringify(module)});
    await (await sqliteStore(${JSON.stringify({ file, thread })})).close();`;
  const cache = join(folder.path, "cache");
  const env = { ...process.env, NODE_COMPILE_CACHE: cache };
  const child = spawn(process.execPath, ["--no-warnings", "--input-type=module", "-e", program], { env });
  const [code] = (await once(child, "close")) as [number];
  assert.equal(code, 0);
  return readdirSync(cache, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
    .length;
}

test("the thread keeps its modules compiled where the process does, so that it starts as fast", async (t) => {
  assert.ok((await countCompiled(t, true)) > (await countCompiled(t, false)));
});
