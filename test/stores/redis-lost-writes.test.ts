import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { storeEvents } from "../../src/core/event-channels.ts";
import type { StoreEvent } from "../../src/core/events.ts";
import { AcknowledgedWrites, RESTORE_WINDOW_MS } from "../../src/stores/redis/acknowledged-writes.ts";
import { LostWriteRecovery } from "../../src/stores/redis/lost-writes.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";

function collectMessages(t: TestContext): string[] {
  const messages: string[] = [];
  const collect = (event: unknown) => void messages.push((event as StoreEvent).message);
  storeEvents.subscribe(collect);
  t.after(() => storeEvents.unsubscribe(collect));
  return messages;
}

test("fault 5: a second failover during the recovery from the first one starts another recovery", async (t) => {
  const messages = collectMessages(t);
  const runs: PromiseWithResolvers<void>[] = [];
  const restoreOnce = async (onRestored: (count: number) => void) => {
    const run = Promise.withResolvers<void>();
    runs.push(run);
    await run.promise;
    onRestored(runs.length);
  };
  const recovery = new LostWriteRecovery("a store", new FakeClock(), [{ what: "users", restoreOnce }]);
  const recovered = recovery.run();
  await recovery.run();
  await recovery.run();
  assert.equal(runs.length, 1, "one recovery runs at a time");
  runs[0]?.resolve();
  await new Promise<void>((next) => setImmediate(next));
  assert.equal(runs.length, 2);
  runs[1]?.resolve();
  await recovered;
  assert.equal(runs.length, 2, "nothing failed over since");
  assert.deepEqual(
    messages.map((message) => message.slice(message.lastIndexOf(":") + 2)),
    ["1", "2"],
  );
  const again = recovery.run();
  runs[2]?.resolve();
  await again;
  assert.equal(runs.length, 3);
});

test("fault 5: a recovery that fails is tried again after a second, and a closed store stops trying", async (t) => {
  const messages = collectMessages(t);
  const clock = new FakeClock();
  let tries = 0;
  let failures = 2;
  const restoreOnce = async (onRestored: (count: number) => void) => {
    tries++;
    onRestored(1);
    if (failures-- > 0) await Promise.reject(new Error("no connection"));
  };
  const recovery = new LostWriteRecovery("a store", clock, [{ what: "users", restoreOnce }]);
  const recovered = recovery.run();
  await clock.advance(999);
  assert.equal(tries, 1);
  await clock.advance(1_001);
  await recovered;
  assert.equal(tries, 3);
  assert.match(messages.join(), /^a store had lost .* users: 3$/);
  failures = Infinity;
  const stopped = recovery.run();
  recovery.close();
  await clock.advance(10_000);
  await stopped;
  assert.equal(tries, 4);
});

test("law 6: a store remembers the last 10,000 acknowledged writes of ten minutes", async () => {
  const clock = new FakeClock();
  const writes = new AcknowledgedWrites<number>(clock);
  for (let i = 0; i < 10_001; i++) writes.add(`k${i}`, i);
  writes.add("k1", -1);
  const kept = writes.recent();
  assert.equal(kept.length, 10_000);
  assert.deepEqual(
    [kept[0], kept.at(-1)],
    [
      ["k2", 2],
      ["k1", -1],
    ],
  );
  await clock.advance(RESTORE_WINDOW_MS - 1);
  writes.add("late", 1);
  assert.equal(writes.recent().length, 10_000);
  await clock.advance(1);
  assert.deepEqual(writes.recent(), [["late", 1]]);
});

test("law 10: a write that had to make room counts as acknowledged for as long as a failover can lose it", async () => {
  const clock = new FakeClock();
  const writes = new AcknowledgedWrites<number>(clock);
  writes.add("first", 0);
  assert.deepEqual([writes.mayHave("first"), writes.mayHave("unknown")], [true, false]);
  await clock.advance(1000);
  for (let i = 0; i < 10_000; i++) writes.add(`k${i}`, i);
  assert.deepEqual([writes.mayHave("first"), writes.mayHave("k0")], [true, true]);
  await clock.advance(RESTORE_WINDOW_MS - 1001);
  assert.deepEqual([writes.mayHave("first"), writes.mayHave("k0")], [true, true]);
  await clock.advance(1);
  assert.deepEqual([writes.mayHave("first"), writes.mayHave("k0")], [false, true]);
  await clock.advance(1000);
  assert.equal(writes.mayHave("k0"), false);
});
