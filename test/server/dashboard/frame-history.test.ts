import assert from "node:assert/strict";
import { test } from "node:test";
import { MINUTE_ROWS, SECOND_ROWS } from "../../../src/dashboard/wire.ts";
import { FrameHistory } from "../../../src/server/dashboard/frame-history.ts";
import { FrameReader } from "../../../src/server/dashboard/frame-reader.ts";
import { unpackHistory } from "../../support/dashboard-stream.ts";

test("an hour of seconds and a day of minutes take at most 3 MB, with the most issuers", () => {
  const { fields } = new FrameReader(["a", "b", "c", "d", "e", "f"].map((name) => `https://${name}.example`));
  assert.ok(fields.includes("issuer.3.state") && !fields.includes("issuer.4.state"));
  assert.equal(new Set(fields).size, fields.length);
  const bytes =
    new FrameHistory(SECOND_ROWS, fields.length).bytes + new FrameHistory(MINUTE_ROWS, fields.length).bytes;
  assert.ok(bytes <= 3_000_000, `${bytes} bytes`);
});

test("a history keeps its newest rows in order, and null becomes NaN", async () => {
  const history = new FrameHistory(3, 2);
  assert.deepEqual(await unpackHistory(await history.packAll(), 2), []);
  for (const row of [1, 2, 3, 4, 5]) history.push(row * 1_000, [row, row === 4 ? null : row / 2]);
  assert.deepEqual(await unpackHistory(await history.packAll(), 2), [
    { at: 3_000, values: [3, 1.5] },
    { at: 4_000, values: [4, Number.NaN] },
    { at: 5_000, values: [5, 2.5] },
  ]);
  assert.deepEqual(await unpackHistory(await history.pack(1), 2), [{ at: 5_000, values: [5, 2.5] }]);
});

test("a history counts the rows after a time that it has, also while the clock goes back", () => {
  const history = new FrameHistory(3, 1);
  for (const at of [1_000, 9_000, 2_000, 3_000]) history.push(at, [0]);
  assert.deepEqual(
    [3_000, 2_000, 9_000, 1_000, 2_500].map((at) => history.rowsAfter(at)),
    [0, 1, 2, null, null],
  );
  assert.deepEqual(
    [3_000, 2_500, 0].map((at) => history.countAfter(at)),
    [0, 1, 3],
  );
});

test("the callers between two rows share one packed history", async () => {
  const history = new FrameHistory(3, 1);
  history.push(1, [1]);
  const first = await history.packAll();
  assert.equal(await history.packAll(), first);
  history.push(2, [2]);
  assert.equal((await history.packAll()).rows, 2);
});
