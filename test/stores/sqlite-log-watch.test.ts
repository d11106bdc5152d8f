import assert from "node:assert/strict";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { sqliteStore } from "../../src/stores/sqlite.ts";
import type { Store } from "../../src/stores/store.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";
import { temporaryFolder } from "./temporary-folder.ts";

async function openTwo(t: TestContext, clock?: FakeClock): Promise<[Store, Store]> {
  const folder = temporaryFolder();
  const options = { file: join(folder.path, "holdfast.db"), ...(clock && { clock }) };
  const stores = [await sqliteStore(options), await sqliteStore(options)] as [Store, Store];
  t.after(async () => {
    await Promise.all(stores.map((store) => store.close()));
    folder.remove();
  });
  return stores;
}

async function revoke(store: Store, id: string): Promise<void> {
  await store.revocations.append({ kind: "token", id, issuer: "https://id.example.com", until: 4e12 });
}

/** Collects the published entries. `reached` resolves when the entry with this number was published. */
function collect(store: Store) {
  const received: { seq: number; id: string }[] = [];
  let check = () => {};
  const stop = store.revocations.subscribe((entries) => {
    received.push(...entries.map(({ seq, revocation }) => ({ seq, id: revocation.id })));
    check();
  });
  const reached = (seq: number) =>
    new Promise<void>((done) => {
      check = () => void (received.some((entry) => entry.seq >= seq) && done());
      check();
    });
  return { received, reached, stop };
}

test("law 3: a listener gets the revocations of another process without a poll", async (t) => {
  const [one, two] = await openTwo(t);
  await revoke(two, "before the subscription");
  const { received, reached, stop } = collect(one);
  // The watch begins before the commands that follow the subscription.
  await one.now();
  await revoke(two, "a");
  await reached(2);
  await revoke(one, "b");
  await revoke(two, "c");
  await reached(4);
  assert.deepEqual(received, [
    { seq: 2, id: "a" },
    { seq: 3, id: "b" },
    { seq: 4, id: "c" },
  ]);
  stop();
});

test("law 3: entries of two processes that write at once are published once each, in the order of the log", async (t) => {
  const [one, two] = await openTwo(t);
  const { received, reached } = collect(one);
  await one.now();
  const writes = Array.from({ length: 60 }, (_, i) => revoke(i % 3 === 0 ? one : two, `t${i}`));
  await Promise.all(writes);
  await reached(60);
  assert.deepEqual(
    received.map(({ seq }) => seq),
    Array.from({ length: 60 }, (_, i) => i + 1),
  );
});

test("law 3: after the last listener has left, a new one gets only what comes later", async (t) => {
  const [one, two] = await openTwo(t);
  const first = collect(one);
  await one.now();
  first.stop();
  first.stop();
  await one.now();
  await revoke(two, "a");
  const second = collect(one);
  await one.now();
  await revoke(two, "b");
  await second.reached(2);
  assert.deepEqual(first.received, []);
  assert.deepEqual(second.received, [{ seq: 2, id: "b" }]);
});

test("with an injected clock a listener gets the entries of its own process, and the rest by polling", async (t) => {
  const clock = new FakeClock();
  const [one, two] = await openTwo(t, clock);
  const { received } = collect(one);
  await revoke(two, "a");
  await revoke(one, "b");
  assert.deepEqual(received, [{ seq: 2, id: "b" }]);
  assert.equal(clock.pending, 0, "no timer is left on the injected clock");
});
