import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { watchNpx } from "../../src/server/npx-parent.ts";
import { FakeClock } from "../../src/testing/index.ts";
import { within } from "../support/deadline.ts";
import { serviceEnvironment } from "../support/service-process.ts";
import { temporaryDataDir } from "./temporary-settings.ts";
import { cli } from "../support/cli.ts";
const npx = { npm_lifecycle_event: "npx", npm_lifecycle_script: "'holdfast'" };

/** Watches with this environment, ends the parent after a minute, and counts the calls. */
async function countEnds(env: Readonly<Record<string, string>>, isCancelled = false): Promise<number> {
  const clock = new FakeClock();
  let parent = 4180;
  let ends = 0;
  const cancel = watchNpx({ env, parentId: () => parent, firstParentId: 4180, clock }, () => ends++);
  await clock.advance(60_000);
  assert.equal(ends, 0);
  if (isCancelled) cancel();
  parent = 1;
  await clock.advance(60_000);
  cancel();
  assert.equal(clock.pending, 0);
  return ends;
}

test("the end of npx is told once, and not after the watch has ended", async () => {
  assert.equal(await countEnds(npx), 1);
  assert.equal(await countEnds({ ...npx, npm_lifecycle_script: "holdfast serve" }), 1);
  assert.equal(await countEnds(npx, true), 0);
});

test("the end of npx is told when npx ended before the watch began", async () => {
  const clock = new FakeClock();
  let ends = 0;
  watchNpx({ env: npx, parentId: () => 1, firstParentId: 4180, clock }, () => ends++);
  assert.equal(ends, 1);
  await clock.advance(60_000);
  assert.deepEqual([ends, clock.pending], [1, 0]);
});

test("a service that npx did not start outlives its parent", async () => {
  assert.equal(await countEnds({}), 0);
  assert.equal(await countEnds({ npm_lifecycle_event: "start", npm_lifecycle_script: "holdfast serve" }), 0);
  assert.equal(await countEnds({ ...npx, npm_lifecycle_script: "concurrently 'holdfast serve' vite" }), 0);
  assert.equal(await countEnds({ ...npx, npm_lifecycle_script: "holdfast-tools" }), 0);
  assert.equal(await countEnds({ ...npx, npm_lifecycle_script: "'holdfast-tools'" }), 0);
});

test("holdfast serve finishes when the shell of npx has ended", async (t) => {
  // With another command after it, no shell replaces itself by the service.
  const child = spawn("/bin/sh", ["-c", `"$0" --no-warnings "$1" serve 2>&1; true`, process.execPath, cli], {
    env: { ...serviceEnvironment(await temporaryDataDir()), ...npx },
    stdio: ["ignore", "pipe", "inherit"],
    detached: true,
  });
  const { pid } = child;
  assert.ok(pid !== undefined);
  // The group has the service, also when this test fails.
  t.after(() => {
    try {
      process.kill(-pid, "SIGKILL");
    } catch {
      // Every process of the group has ended.
    }
  });
  let output = "";
  const listening = Promise.withResolvers<void>();
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
    if ((output.match(/http:\/\/127\.0\.0\.1:\d+/g) ?? []).length >= 2) listening.resolve();
  });
  await within(listening.promise, 60_000, "the start of the service");
  const ended = once(child.stdout, "close");
  process.kill(pid, "SIGKILL");
  await within(ended, 60_000, "the end of the service");
  assert.match(output, /npx has ended: finishing what is under way/);
});
