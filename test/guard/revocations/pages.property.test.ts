import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import fc from "fast-check";
import { readClock } from "../../../src/core/clock.ts";
import { RevocationFollower } from "../../../src/guard/revocations/follower.ts";
import { RevocationView } from "../../../src/guard/revocations/view.ts";
import { memoryStore } from "../../../src/stores/memory.ts";
import type { RevocationFeed, SnapshotPage, Store } from "../../../src/stores/store.ts";
import { FakeClock } from "../../../src/testing/index.ts";

const issuer = "https://id.example.com";
const HOUR_MS = 3_600_000;

async function append(store: Store, prefix: string, count: number, until: number): Promise<string[]> {
  const ids = Array.from({ length: count }, (_, i) => `${prefix}-${i}`);
  await Promise.all(ids.map((id) => store.revocations.append({ kind: "token", id, issuer, until })));
  return ids;
}

function startFollower(t: Pick<TestContext, "after">, feed: RevocationFeed, clock: FakeClock) {
  const view = new RevocationView(issuer, 1_000_000);
  const source = { guard: "guard", issuer };
  const options = { source, feed, view, pollMs: 250, maxAgeMs: 60_000, clock, random: () => 0.5 };
  const follower = new RevocationFollower(options);
  t.after(() => follower.close());
  follower.start();
  return follower;
}

/** What happens before the store reads a page: entries of some kinds are appended, or expired ones are trimmed. */
const meanwhile = fc.record({
  count: fc.nat({ max: 3 }),
  isLong: fc.boolean(),
  prune: fc.boolean(),
  isHeard: fc.boolean(),
});

test("law 3: a view that loads pages while entries are appended and trimmed lacks none that is in force", async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(meanwhile, { minLength: 1, maxLength: 6 }), async (steps) => {
      const clock = new FakeClock();
      const store = memoryStore({ clock });
      const inForce = new Set<string>();
      const add = async (prefix: string, count: number, isLong: boolean) => {
        const until = clock.now() + (isLong ? HOUR_MS : 1);
        for (const id of await append(store, prefix, count, until)) if (isLong) inForce.add(id);
      };
      await add("expired", 1_200, false);
      await add("long", 1_900, true);
      await clock.advance(2);
      let pages = 0;
      const listeners = new Set<Parameters<RevocationFeed["subscribe"]>[0]>();
      store.revocations.subscribe((entries) => {
        // A follower may miss what its process did not append.
        if (steps[pages % steps.length]?.isHeard === true) for (const tell of listeners) tell(entries);
      });
      const feed: RevocationFeed = {
        snapshot: async () => await Promise.reject(new Error("the pages are read")),
        async snapshotPage(cursor): Promise<SnapshotPage> {
          const step = steps[pages++ % steps.length];
          if (step !== undefined) await add(`meanwhile-${pages}`, step.count, step.isLong);
          if (step?.prune === true) await store.prune();
          const page = await store.revocations.snapshotPage?.(cursor);
          assert.ok(page !== undefined);
          return page;
        },
        after: async (position) => await store.revocations.after(position),
        subscribe(listener) {
          listeners.add(listener);
          return () => void listeners.delete(listener);
        },
      };
      const follower = startFollower(t, feed, clock);
      await follower.ready();
      // The tail has what was appended after the first page.
      await clock.advance(300);
      assert.ok(pages >= 4, `${pages} pages`);
      for (const id of inForce) assert.ok(follower.view.isRevoked({ jti: id }, undefined), id);
      const end = (await store.revocations.snapshot()).position;
      assert.deepEqual(follower.view.position, end);
      follower.close();
      await store.close();
    }),
    { numRuns: 12 },
  );
});

test("guards of one process read each page of their log once, and each view is as old as the first read", async (t) => {
  const clock = new FakeClock();
  const store = memoryStore({ clock });
  t.after(async () => await store.close());
  await append(store, "token", 4_500, clock.now() + HOUR_MS);
  const asked: (string | null)[] = [];
  const gates: (() => void)[] = [];
  const feed: RevocationFeed = {
    ...store.revocations,
    async snapshotPage(cursor) {
      asked.push(cursor);
      if (cursor === null) await new Promise<void>((open) => gates.push(open));
      return (await store.revocations.snapshotPage?.(cursor)) as SnapshotPage;
    },
  };
  const first = startFollower(t, feed, clock);
  await clock.advance(100);
  const others = Array.from({ length: 9 }, () => startFollower(t, feed, clock));
  await clock.advance(100);
  gates[0]?.();
  for (const follower of [first, ...others]) {
    await follower.ready();
    assert.equal(follower.view.size, 4_500);
    assert.ok(follower.ageMs(readClock(clock)) >= 200);
  }
  assert.equal(asked.length, 5, "five pages");
  const late = startFollower(t, feed, clock);
  await clock.advance(0);
  gates[1]?.();
  await late.ready();
  assert.equal(late.ageMs(readClock(clock)), 0, "pages of an earlier read are not used again");
});

test("a page that fails or takes too long is read again, and the view stays incomplete until all are read", async (t) => {
  const clock = new FakeClock();
  const store = memoryStore({ clock });
  t.after(async () => await store.close());
  await append(store, "token", 2_500, clock.now() + HOUR_MS);
  let failures = 0;
  const feed: RevocationFeed = {
    ...store.revocations,
    async snapshotPage(cursor) {
      if (cursor !== null && failures++ === 0) throw new Error("a fault");
      if (cursor !== null && failures === 2) await new Promise(() => {});
      return (await store.revocations.snapshotPage?.(cursor)) as SnapshotPage;
    },
  };
  const follower = startFollower(t, feed, clock);
  await clock.advance(0);
  assert.deepEqual([follower.view.position, follower.completeAt], [null, null]);
  await clock.advance(1_000);
  assert.deepEqual([follower.view.position, follower.completeAt, failures], [null, null, 2]);
  await clock.advance(20_000);
  await follower.ready();
  assert.equal(follower.view.size, 2_500);
});

test("pages of different positions are no snapshot", async (t) => {
  const clock = new FakeClock();
  const position = (seq: number) => ({ epoch: "e", seq, chain: `${seq}` });
  const feed: RevocationFeed = {
    snapshot: async () => await Promise.reject(new Error("the pages are read")),
    snapshotPage: async (cursor) =>
      await Promise.resolve(
        cursor === null
          ? { position: position(1), entries: [], next: "more" }
          : { position: position(2), entries: [], next: null },
      ),
    after: async () => await Promise.resolve({ status: "ok", entries: [] }),
    subscribe: () => () => {},
  };
  const follower = startFollower(t, feed, clock);
  for (let turns = 0; turns < 10; turns++) await clock.advance(10);
  assert.deepEqual([follower.view.position, follower.completeAt], [null, null]);
  assert.ok(follower.status().lastError !== null);
});

test("law 3: a malformed entry on one page hides no revocation on a later one", async (t) => {
  const clock = new FakeClock();
  const position = { epoch: "e", seq: 2, chain: "c" };
  const entry = { seq: 2, chain: "c", at: 1, revocation: { kind: "token", id: "t", issuer, until: HOUR_MS } };
  const unknown = {
    ...entry,
    seq: 1,
    revocation: { ...entry.revocation, kind: "a kind of a newer version" },
  };
  const feed = {
    snapshot: async () => await Promise.reject(new Error("the pages are read")),
    snapshotPage: async (cursor: string | null) =>
      await Promise.resolve({
        position,
        entries: [cursor === null ? unknown : entry],
        next: cursor === null ? "2" : null,
      }),
    after: async () => await Promise.resolve({ status: "ok", entries: [] }),
    subscribe: () => () => {},
  } as unknown as RevocationFeed;
  const follower = startFollower(t, feed, clock);
  for (let turns = 0; turns < 10; turns++) await clock.advance(10);
  assert.equal(follower.view.isRevoked({ jti: "t" }, undefined), true);
  assert.equal(follower.completeAt, null);
});
