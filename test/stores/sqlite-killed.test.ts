import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { logIn, present } from "../../src/stores/conformance/fixtures.ts";
import { sqliteStore } from "../../src/stores/sqlite.ts";
import { temporaryFolder } from "./temporary-folder.ts";

/**
 * Runs a rotating process, and kills it after `count` acknowledged rotations. Returns the last acknowledged generation.
 */
async function rotateUntilKilled(file: string, from: number, count: number): Promise<number> {
  const script = join(import.meta.dirname, "rotating-process.ts");
  const child = spawn(process.execPath, [script, file, String(from)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  let acknowledged = from - 1;
  for await (const line of createInterface(child.stdout)) {
    acknowledged = Number(line);
    if (acknowledged >= from + count - 1) child.kill("SIGKILL");
  }
  const [, signal] = await exited;
  assert.equal(signal, "SIGKILL");
  return acknowledged;
}

test("fault 40, law 12: kill -9 loses no acknowledged write, and leaves no partial transaction", async (t) => {
  const folder = temporaryFolder();
  t.after(folder.remove);
  const file = join(folder.path, "holdfast.db");
  const first = await sqliteStore({ file });
  await logIn(first, "s");
  await first.close();
  let generation = 1;
  let ahead = 0;
  for (const count of [1, 2, 3, 5, 8, 13, 21, 34]) {
    const acknowledged = await rotateUntilKilled(file, generation, count);
    const store = await sqliteStore({ file });
    const session = await store.sessions.get("s");
    const { position, entries } = await store.revocations.snapshot();
    assert.ok(session?.generation === acknowledged + 1 || session?.generation === acknowledged + 2);
    // The process appends a revocation before it rotates, and the kill may come between the two commands.
    const appendedAhead = position.seq - (session.generation - 1);
    assert.ok(appendedAhead === ahead || appendedAhead === ahead + 1, `${appendedAhead - ahead} too many`);
    ahead = appendedAhead;
    assert.ok(entries.some((entry) => entry.revocation.id === `t${acknowledged}`));
    // The successor of an unacknowledged rotation is returned again.
    if (session.generation === acknowledged + 2) {
      const again = await present(store, "s", acknowledged + 1);
      assert.equal(again.outcome, "repeated");
    }
    generation = session.generation;
    await store.close();
  }
});
