import assert from "node:assert/strict";
import { test } from "node:test";
import { bytes, latency, rate } from "../../../src/dashboard/data/format.ts";
import { duration, relative, zone } from "../../../src/dashboard/data/format-time.ts";

test("durations have the units in which people speak of them", () => {
  const cases: [ms: number, text: string][] = [
    [0, "0 s"],
    [210, "210 ms"],
    [12_000, "12 s"],
    [60_000, "1 min"],
    [248_000, "4 min 8 s"],
    [3_600_000, "1 h"],
    [7_500_000, "2 h 5 min"],
    [86_400_000 * 3, "3 days"],
    [Infinity, "unknown"],
  ];
  for (const [ms, text] of cases) assert.equal(duration(ms), text);
});

test("latencies, rates and sizes have three digits that count", () => {
  assert.deepEqual(
    [0.001, 0.1434, 0.9999, 12.345, 999.7, 2500, null].map((ms) => latency(ms)),
    ["1 µs", "143 µs", "1 ms", "12.3 ms", "1 s", "2.5 s", "–"],
  );
  assert.deepEqual(
    [0, 0.004, 0.25, 9.999, 1240.4, null].map((perSecond) => rate(perSecond)),
    ["0 /s", "0 /s", "0.25 /s", "10 /s", "1,240 /s", "–"],
  );
  assert.deepEqual([512, 1536, 48_400_000, null].map(bytes), ["512 B", "1.5 KiB", "46.2 MiB", "–"]);
});

test("a time is told from now", () => {
  assert.deepEqual(
    [relative(0, 0), relative(0, 60_000), relative(90_000, 30_000)],
    ["now", "1 min ago", "in 1 min"],
  );
});

test("the zone of the reader is a distance from UTC", (t) => {
  const before = process.env["TZ"];
  t.after(() => {
    if (before === undefined) delete process.env["TZ"];
    else process.env["TZ"] = before;
  });
  const cases = { UTC: "UTC", "Asia/Kolkata": "UTC+5:30", "America/Caracas": "UTC-4", "Asia/Tokyo": "UTC+9" };
  for (const [name, text] of Object.entries(cases)) {
    process.env["TZ"] = name;
    assert.equal(zone(Date.UTC(2026, 0, 1)), text);
  }
});
