import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readClock } from "../../../src/core/clock.ts";
import { guardEvents } from "../../../src/core/event-channels.ts";
import { RevocationFollower } from "../../../src/guard/revocations/follower.ts";
import { systemClock } from "../../../src/core/clock.ts";
import { parseEntries } from "../../../src/guard/revocations/parse-entries.ts";
import { RevocationView } from "../../../src/guard/revocations/view.ts";
import { httpRevocations } from "../../../src/index.ts";
import { createIssuer } from "../../../src/issuer/index.ts";
import { memoryStore } from "../../../src/stores/memory.ts";
import type { RevocationFeed } from "../../../src/stores/store.ts";
import { FakeClock } from "../../../src/testing/index.ts";

const url = "https://own.example";
const until = Date.now() + 3_600_000;
const entry = (seq: number) => ({
  seq,
  chain: `chain-${seq}`,
  at: 1,
  revocation: { kind: "token" as const, id: `jti-${seq}`, issuer: url, until },
});

/** Counts the turns of the event loop while `work` runs. */
async function countTurns<T>(work: Promise<T>): Promise<[T, number]> {
  let turns = 0;
  let isDone = false;
  const count = () => {
    turns++;
    if (!isDone) setImmediate(count);
  };
  setImmediate(count);
  const result = await work;
  isDone = true;
  return [result, turns];
}

test("fault 74: a large log goes from the issuer to a guard in many turns, whole and in order", async (t) => {
  const store = memoryStore();
  const issuer = createIssuer({
    url,
    audience: url,
    store,
    secret: "s".repeat(40),
    clients: [{ id: "orders", secret: "c".repeat(32) }],
    authenticate: async () => null,
  });
  t.after(async () => await issuer.close());
  await issuer.ready();
  for (let seq = 1; seq <= 5_000; seq++) await store.revocations.append(entry(seq).revocation);
  const feed = httpRevocations({
    url: `${url}/auth/revocations`,
    clientId: "orders",
    clientSecret: "c".repeat(32),
    fetch: async (input, init) => await issuer.fetch(new Request(input, init)),
  });
  const expected = await store.revocations.snapshot();
  const pages = [];
  for (let next: string | null | undefined; next !== null;) {
    const page = await feed.snapshotPage?.(next ?? null);
    assert.ok(page !== undefined && page.entries.length <= 1_000);
    assert.deepEqual(page.position, expected.position);
    pages.push(...page.entries);
    ({ next } = page);
  }
  assert.deepEqual(pages, expected.entries);
  const [snapshot, turns] = await countTurns(feed.snapshot());
  assert.deepEqual(snapshot, expected);
  assert.ok(turns > 12, `${turns} turns`);
  const tail = await feed.after({ ...expected.position, seq: 0, chain: "" });
  if (tail.status === "ok") assert.deepEqual(tail.entries, expected.entries);
});

test("fault 74: a view loads and prunes a large log in turns, and applies what is loaded so far", async () => {
  const view = new RevocationView(url, 1_000_000);
  const entries = Array.from({ length: 20_000 }, (_, i) => entry(i + 1));
  const position = { epoch: "e", seq: 20_000, chain: "chain-20000" };
  async function* inPages() {
    for (let from = 0; from < entries.length; from += 1_000) {
      const next = from + 1_000 < entries.length ? String(from) : null;
      yield { position, entries: entries.slice(from, from + 1_000), next };
      assert.deepEqual([view.position, view.isRevoked({ jti: "jti-1" }, undefined)], [null, true]);
    }
  }
  assert.ok((await countTurns(view.loadInTurns(inPages(), () => false)))[1] >= 15);
  assert.deepEqual([view.position, view.size], [position, 20_000]);
  await view.pruneInTurns(until + 1);
  assert.equal(view.size, 0);
  async function* asOne() {
    yield await Promise.resolve({ position, entries, next: null });
  }
  assert.ok((await countTurns(view.loadInTurns(asOne(), () => false)))[1] >= 15);
  assert.deepEqual([view.position, view.size], [position, 20_000]);
  await view.loadInTurns(inPages(), () => true);
  assert.equal(view.position, null, "a load that was stopped is not complete");
});

test("fault 74: a response that is parsed in pieces has the value of JSON.parse", async () => {
  const text = fc.string({ unit: fc.constantFrom('"', "\\", "[", "]", "{", "}", ",", "é", "😀", "a", ":") });
  const item = fc.record({
    id: text,
    list: fc.array(text, { maxLength: 3 }),
    padding: fc.constant("x".repeat(300)),
  });
  const members = fc.record({
    other: fc.array(text, { maxLength: 3 }),
    position: fc.record({ epoch: text }),
  });
  await fc.assert(
    fc.asyncProperty(members, fc.array(item, { minLength: 1, maxLength: 20 }), async (before, items) => {
      const entries = Array.from({ length: 1_500 }, (_, i) => ({ ...items[i % items.length], i }));
      for (const value of [{ ...before, entries }, { entries, after: before }, { list: entries }, entries]) {
        const bytes = new TextEncoder().encode(JSON.stringify(value));
        assert.ok(bytes.length > 131_072);
        assert.deepEqual(await parseEntries(systemClock, bytes), JSON.parse(JSON.stringify(value)));
        await assert.rejects(parseEntries(systemClock, bytes.subarray(0, -1)));
      }
    }),
    { numRuns: 5 },
  );
});

test("fault 74: guards of one process read the snapshot of their log once, and load it one after the other", async (t) => {
  const clock = new FakeClock();
  const entries = Array.from({ length: 5_000 }, (_, i) => entry(i + 1));
  const position = { epoch: "e", seq: 5_000, chain: "chain-5000" };
  let reads = 0;
  let answer: () => void = () => {};
  const feed: RevocationFeed = {
    snapshot: async () => {
      reads++;
      await new Promise<void>((resolve) => (answer = resolve));
      return { position, entries };
    },
    after: async () => await Promise.resolve({ status: "ok", entries: [] }),
    subscribe: () => () => {},
  };
  const start = (at: number) => {
    const view = new RevocationView(url, 1_000_000);
    const source = { guard: String(at), issuer: url };
    const options = { source, feed, view, pollMs: 250, maxAgeMs: 60_000, clock, random: () => 0.5 };
    const follower = new RevocationFollower(options);
    t.after(() => follower.close());
    follower.start();
    return follower;
  };
  const first = start(1);
  await clock.advance(100);
  const others = Array.from({ length: 9 }, (_, n) => start(n + 2));
  await clock.advance(100);
  assert.equal(reads, 1);
  answer();
  await Promise.all([first, ...others].map(async (follower) => await follower.ready()));
  for (const follower of [first, ...others]) {
    assert.equal(follower.view.size, 5_000);
    assert.ok(follower.ageMs(readClock(clock)) >= 200, "the view is as old as the read that was joined");
  }
});

test("fault 74: closing a guard ends the load of a large log, and the view stays incomplete", async (t) => {
  const clock = new FakeClock();
  const entries = Array.from({ length: 5_000 }, (_, i) => entry(i + 1));
  const feed: RevocationFeed = {
    snapshot: async () =>
      await Promise.resolve({ position: { epoch: "e", seq: 5_000, chain: "chain-5000" }, entries }),
    after: async () => await Promise.resolve({ status: "ok", entries: [] }),
    subscribe: () => () => {},
  };
  const events: unknown[] = [];
  const collect = (event: unknown) => void events.push(event);
  guardEvents.subscribe(collect);
  t.after(() => guardEvents.unsubscribe(collect));
  const source = { guard: t.name, issuer: url };
  const view = new RevocationView(url, 1_000_000);
  const options = { source, feed, view, pollMs: 250, maxAgeMs: 60_000, clock, random: () => 0.5 };
  const follower = new RevocationFollower(options);
  follower.start();
  await clock.advance(0);
  assert.ok(view.size > 0 && view.size < 5_000, `${view.size} entries`);
  follower.close();
  for (let turns = 0; turns < 20; turns++) await new Promise<void>((next) => setImmediate(next));
  assert.ok(view.size < 5_000, `${view.size} entries`);
  assert.deepEqual([view.position, follower.completeAt, events], [null, null, []]);
});

test("fault 74: a snapshot that takes too long is not joined again", async (t) => {
  const clock = new FakeClock();
  let reads = 0;
  const feed: RevocationFeed = {
    snapshot: async () => {
      if (reads++ === 0) await new Promise(() => {});
      return { position: { epoch: "e", seq: 0, chain: "c" }, entries: [] };
    },
    after: async () => await Promise.resolve({ status: "ok", entries: [] }),
    subscribe: () => () => {},
  };
  const source = { guard: "guard", issuer: url };
  const view = new RevocationView(url, 1_000);
  const options = { source, feed, view, pollMs: 250, maxAgeMs: 60_000, clock, random: () => 0.5 };
  const follower = new RevocationFollower(options);
  t.after(() => follower.close());
  follower.start();
  await clock.advance(10_000);
  await follower.ready();
  assert.equal(reads, 2);
});

test("fault 74: a denial never prunes the whole view at once, and expired denials still leave it", () => {
  const view = new RevocationView(url, 1_000_000);
  const denial = (n: number, expiry: number) => {
    return { kind: "token" as const, id: `denied-${n}`, issuer: url, until: expiry };
  };
  for (let n = 0; n < 10_000; n++) view.add(denial(n, 1_000), 0);
  assert.equal(view.size, 10_000);
  view.add(denial(10_000, 5_000), 2_000);
  assert.ok(view.size > 9_900, `${view.size}`);
  for (let n = 10_001; n < 10_700; n++) view.add(denial(n, 5_000), 2_000);
  assert.ok(view.size <= 700, `${view.size}`);
});
