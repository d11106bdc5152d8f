import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateRawSync } from "node:zlib";
import { DashboardStore } from "../../../src/dashboard/data/dashboard-store.ts";
import type { Frame, PackedHistory, Snapshot } from "../../../src/dashboard/wire.ts";
import type { State, TimelineEvent } from "../../../src/dashboard/wire-state.ts";

const fields = ["decisions.validPerS", "health.service"];
const startedAt = Date.UTC(2026, 0, 1);

/** Only the page's views read the state, and these tests read the histories. */
const state = {} as State;

function frame(at: number, ...values: (number | null)[]): Frame {
  return { at, values, state };
}

function event(seq: number): TimelineEvent {
  const at = startedAt + seq * 1_000;
  return {
    seq,
    at,
    source: "guard",
    kind: "keys_refreshed",
    tone: "info",
    issuer: null,
    message: "",
    omitted: 0,
    audit: null,
  };
}

function pack(rows: readonly (readonly [at: number, valid: number, health: number])[]): PackedHistory {
  const times = new Float64Array(rows.map(([at]) => at));
  const columns = [1, 2].map((index) => new Float32Array(rows.map((row) => row[index] ?? NaN)));
  const raw = Buffer.concat([times, ...columns].map(({ buffer }) => Buffer.from(buffer)));
  return { rows: rows.length, data: deflateRawSync(raw).toString("base64") };
}

function snapshot(more: Partial<Snapshot> = {}): Snapshot {
  return {
    instance: {
      id: "a",
      version: "1.0.0",
      runtime: "node 24",
      host: "one",
      pid: 1,
      startedAt,
      url: "https://id.example",
      audience: ["https://api.example"],
      roles: ["issuer"],
      canSignIn: true,
      canExplain: true,
    },
    fields,
    issuers: [],
    resumed: false,
    seconds: pack([
      [startedAt, 1, 0],
      [startedAt + 1_000, 2, NaN],
    ]),
    minutes: pack([[startedAt, 1.5, 0]]),
    events: [event(1), event(2)],
    frame: frame(startedAt + 2_000, 3, 0),
    ...more,
  };
}

test("a snapshot fills the histories, and each frame adds a row", async () => {
  const store = new DashboardStore();
  let changes = 0;
  store.subscribe(() => (changes += 1));
  await store.apply("snapshot", snapshot());
  await store.apply("frame", frame(startedAt + 3_000, 4, 1));
  const { seconds, minutes } = store.received ?? assert.fail();
  assert.deepEqual(seconds.values("decisions.validPerS", 0, 1_000), [1, 2, 3, 4]);
  assert.deepEqual(seconds.values("health.service", startedAt + 1_000, 1_000), [null, 0, 1]);
  assert.deepEqual(seconds.times(startedAt + 3_000, 1_000), [(startedAt + 3_000) / 1_000]);
  assert.deepEqual(minutes.values("decisions.validPerS", 0, 1_000), [1.5]);
  assert.deepEqual(seconds.values("unknown", startedAt + 3_000, 1_000), [null]);
  assert.equal(changes, 2);
});

test("a resumed stream continues the histories and repeats no event", async () => {
  const store = new DashboardStore();
  await store.apply("snapshot", snapshot());
  const seconds = pack([
    [startedAt + 2_000, 30, 0],
    [startedAt + 3_000, 4, 0],
  ]);
  const rest = { resumed: true, seconds, minutes: pack([]), events: [event(2), event(3)] };
  await store.apply("snapshot", snapshot({ ...rest, frame: frame(startedAt + 4_000, 5, 0) }));
  const received = store.received ?? assert.fail();
  assert.deepEqual(received.seconds.values("decisions.validPerS", 0, 1_000), [1, 2, 3, 4, 5]);
  assert.deepEqual(
    received.events.map(({ seq }) => seq),
    [1, 2, 3],
  );
});

test("another process starts new histories", async () => {
  const store = new DashboardStore();
  await store.apply("snapshot", snapshot());
  const instance = { ...snapshot().instance, id: "b" };
  await store.apply("snapshot", snapshot({ instance, events: [event(1)], resumed: true }));
  assert.equal(store.received?.events.length, 1);
  assert.equal(store.received?.seconds.length, 3);
});

test("a minute keeps the mean of a rate and the worst of a state", async () => {
  const store = new DashboardStore();
  await store.apply("snapshot", snapshot({ minutes: pack([]), frame: frame(startedAt + 2_000, 4, 0) }));
  await store.apply("frame", frame(startedAt + 30_000, 8, 2));
  await store.apply("frame", frame(startedAt + 59_000, 6, 0));
  await store.apply("frame", frame(startedAt + 60_000, 100, 0));
  const { minutes } = store.received ?? assert.fail();
  assert.deepEqual(minutes.values("decisions.validPerS", 0, 1_000), [6]);
  assert.deepEqual(minutes.values("health.service", 0, 1_000), [2]);
});

test("a clock that was set back removes the rows of times that have not come, in frames and in a snapshot", async () => {
  const hour = 3_600_000;
  const store = new DashboardStore();
  await store.apply("snapshot", snapshot({ minutes: pack([[startedAt - hour, 1, 0]]) }));
  await store.apply("frame", frame(startedAt + 60_000, 4, 0));
  const back = startedAt - hour / 2;
  for (const second of [0, 1, 60]) await store.apply("frame", frame(back + second * 1_000, 10 + second, 0));
  const { seconds, minutes } = store.received ?? assert.fail();
  assert.deepEqual(seconds.values("decisions.validPerS", 0, 1_000), [10, 11, 70]);
  assert.deepEqual(minutes.values("decisions.validPerS", 0, 1_000), [1, 10.5]);
  const reloaded = new DashboardStore();
  const rows = pack([
    [back - 1_000, 1, 0],
    [startedAt, 2, 0],
    [back, 10, 0],
    [back + 1_000, 11, 0],
  ]);
  await reloaded.apply("snapshot", snapshot({ seconds: rows, frame: frame(back + 1_000, 11, 0) }));
  assert.deepEqual(reloaded.received?.seconds.values("decisions.validPerS", 0, 1_000), [1, 10, 11]);
});

test("law 6: a day of frames and events leaves the histories at their bounds", async () => {
  const store = new DashboardStore();
  await store.apply("snapshot", snapshot());
  for (let second = 3; second < 95_040; second++) {
    await store.apply("frame", frame(startedAt + second * 1_000, second, 0));
    await store.apply("event", event(second));
  }
  const { seconds, minutes, events } = store.received ?? assert.fail();
  assert.deepEqual([seconds.length, minutes.length, events.length], [3_600, 1_440, 2_000]);
  assert.equal(events.at(-1)?.seq, 95_039);
  assert.equal(seconds.values("decisions.validPerS", 0, 1_000).at(-1), 95_039);
});
