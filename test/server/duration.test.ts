import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatDuration, parseDuration } from "../../src/server/duration.ts";

const max = 3650 * 86_400_000;

test("a formatted duration is read as the same time, in the largest unit that divides it", () => {
  const parse = parseDuration({ min: 1, max });
  fc.assert(fc.property(fc.integer({ min: 1, max }), (ms) => assert.equal(parse(formatDuration(ms)), ms)));
  const written = [600_000, 90_000, 86_400_000, 7_200_000, 1_500].map((ms) => formatDuration(ms));
  assert.deepEqual(written, ["10m", "90s", "1d", "2h", "1500ms"]);
});

test("a text that is no duration, or is out of bounds, is refused", () => {
  const parse = parseDuration({ min: 1000, max: 60_000 });
  const texts = ["", "10", "m", "10M", "1h", "0s", "1m1s", " 1s", "1s ", "1e1s", "0x1s", "+1s", "1s\n", "٣s"];
  for (const text of texts) assert.equal(parse(text), undefined, JSON.stringify(text));
  assert.equal(parse(`${"9".repeat(400)}d`), undefined);
  assert.deepEqual(
    ["1s", "1m", "1000ms"].map((text) => parse(text)),
    [1000, 60_000, 1000],
  );
});
