import assert from "node:assert/strict";
import { test } from "node:test";
import { Heartbeat } from "../../../src/server/dashboard/heartbeat.ts";
import { memoryStore } from "../../../src/stores/memory.ts";
import { FakeClock } from "../../../src/testing/index.ts";

const self = (id: string) => ({
  id,
  host: `host-${id}`,
  version: "1.0.0",
  admin: `http://127.0.0.1:418${id}/`,
});

test("processes on one store see each other, and forget one that has ended", async () => {
  const clock = new FakeClock();
  const store = memoryStore({ clock });
  const [first, second] = [new Heartbeat(store, self("1"), clock), new Heartbeat(store, self("2"), clock)];
  await Promise.all([first.beat(), second.beat()]);
  await Promise.all([first.beat(), second.beat()]);
  assert.deepEqual(
    first.others?.map(({ host }) => host),
    ["host-2"],
  );
  assert.deepEqual(
    second.others?.map(({ host }) => host),
    ["host-1"],
  );
  await clock.advance(90_001);
  await first.beat();
  assert.deepEqual(first.others, []);
});

test("a process that starts again does not list the process that it replaces", async () => {
  const clock = new FakeClock();
  const store = memoryStore({ clock });
  const sameAddress = { ...self("1"), id: "its successor" };
  const elsewhere = { ...self("1"), id: "another machine", host: "host-2" };
  for (const one of [self("1"), elsewhere]) await new Heartbeat(store, one, clock).beat();
  const successor = new Heartbeat(store, sameAddress, clock);
  await successor.beat();
  assert.deepEqual(
    successor.others?.map(({ host }) => host),
    ["host-2"],
  );
});

test("a list that a stranger wrote into the store gives no link", async () => {
  const store = memoryStore();
  const bad = { ...self("3"), admin: "javascript:alert(1)", seenAt: Date.now() };
  await store.markers.claim("instances", JSON.stringify([bad]));
  const heartbeat = new Heartbeat(store, self("1"));
  await heartbeat.beat();
  assert.deepEqual(heartbeat.others, []);
  const other = new Heartbeat(store, self("2"));
  await other.beat();
  assert.deepEqual(
    other.others?.map(({ host }) => host),
    ["host-1"],
  );
});

test("an entry of a newer version counts, and a wrong or future one hides no other", async () => {
  const clock = new FakeClock();
  const store = memoryStore({ clock });
  const seenAt = clock.now();
  const list = [
    { ...self("2"), seenAt, region: "a member of a newer version" },
    { ...self("3"), seenAt, host: 7 },
    null,
    { ...self("4"), seenAt: seenAt + 10 * 365 * 86_400_000 },
    { ...self("5"), seenAt: seenAt - 30_000 },
  ];
  await store.markers.claim("instances", JSON.stringify(list));
  const heartbeat = new Heartbeat(store, self("1"), clock);
  await heartbeat.beat();
  assert.deepEqual(
    heartbeat.others?.map(({ host }) => host),
    ["host-2", "host-5"],
  );
});

test("a store that does not answer gives no list of others, and a heartbeat never rejects", async () => {
  const store = memoryStore();
  const heartbeat = new Heartbeat(store, self("1"));
  await heartbeat.beat();
  assert.deepEqual(heartbeat.others, []);
  await store.close();
  await heartbeat.beat();
  assert.equal(heartbeat.others, null);
});

test("a heartbeat that was stopped writes nothing more, also when a beat was under way", async () => {
  const clock = new FakeClock();
  const store = memoryStore({ clock });
  const written = async () => await store.markers.read("instances");
  const between = new Heartbeat(store, self("1"), clock);
  between.start();
  await clock.advance(1);
  const first = await written();
  assert.notEqual(first, null);
  between.stop();
  await clock.advance(3_600_000);
  assert.equal(await written(), first);

  const during = new Heartbeat(store, self("2"), clock);
  during.start();
  during.stop();
  await clock.advance(1);
  const last = await written();
  assert.notEqual(last, first, "the beat under way ends");
  await clock.advance(3_600_000);
  assert.equal(await written(), last);
});

test("a started heartbeat writes again every half minute", async () => {
  const clock = new FakeClock();
  const store = memoryStore({ clock });
  const [first, second] = [new Heartbeat(store, self("1"), clock), new Heartbeat(store, self("2"), clock)];
  first.start();
  await clock.advance(600_000);
  await second.beat();
  assert.deepEqual(
    second.others?.map(({ host }) => host),
    ["host-1"],
  );
  first.stop();
});
