import assert from "node:assert/strict";
import { test } from "node:test";
import { AppendOnlyFile, MAX_SYNC_MS } from "../../../sim/redis/append-only-file.ts";

/** Returns how many of the writes at 0, 100, … 4900 ms are lost at 4999 ms. */
function loseAfterWrites(isAlways: boolean, syncMs: number): number {
  const file = new AppendOnlyFile(isAlways);
  for (let at = 0; at < 5000; at += 100) file.append([["SET", `key-${at}`, "value"]], at);
  const lost = file.losePower(4999, syncMs);
  assert.equal(file.recover().names().length, 50 - lost);
  return lost;
}

test("a power failure loses the writes of up to two seconds with everysec, and none with always", () => {
  assert.equal(loseAfterWrites(true, MAX_SYNC_MS), 0);
  assert.equal(loseAfterWrites(false, 0), 9);
  assert.equal(loseAfterWrites(false, MAX_SYNC_MS), 19);
});

test("a second power failure loses nothing that the first one left", () => {
  const file = new AppendOnlyFile(false);
  file.append([["SET", "key", "value"]], 100);
  file.losePower(1500, 0);
  assert.equal(file.losePower(1600, MAX_SYNC_MS), 0);
  assert.deepEqual(file.recover().names(), ["key"]);
});
