import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { RevocationEntry } from "../../src/core/revocation.ts";
import { redisStore } from "../../src/stores/redis.ts";
import type { SnapshotPage, Store } from "../../src/stores/store.ts";
import { noRedis, RedisServer } from "../support/redis-servers.ts";

const COUNT = 2_500;
const issuer = "https://id.example.com";

async function append(store: Store, count: number, untilOf: (i: number) => number, prefix = "t") {
  return await Promise.all(
    Array.from({ length: count }, async (_, i) => {
      return await store.revocations.append({
        kind: "token",
        id: `${prefix}${i}`,
        issuer,
        until: untilOf(i),
      });
    }),
  );
}

async function readPage(store: Store, cursor: string | null): Promise<SnapshotPage> {
  const page = await store.revocations.snapshotPage?.(cursor);
  assert.ok(page !== undefined);
  return page;
}

const bySeq = (a: RevocationEntry, b: RevocationEntry) => a.seq - b.seq;

void describe("a large snapshot of a store on Redis", { skip: noRedis }, () => {
  let server: RedisServer;
  let stores = 0;
  before(async () => (server = await RedisServer.start()));
  after(async () => await server.stop());

  const withStore = async (work: (store: Store) => Promise<void>) => {
    const store = await redisStore({ url: server.url, prefix: `${stores++}:` });
    try {
      await work(store);
    } finally {
      await store.close();
    }
  };

  for (const [what, untilOf] of [
    ["that begin one after the other", (i: number) => 10_000 + i],
    ["of different lifetimes", (i: number) => 10_000 + ((i * 7919) % COUNT)],
    ["that end at one moment", () => 10_000],
    ["that end at three moments", (i: number) => 10_000 + (i % 3)],
  ] as const) {
    void test(`revocations ${what} are complete and in the order of the log`, async () => {
      await withStore(async (store) => {
        const now = await store.now();
        const appended = await append(store, COUNT, (i) => now + 1000 * untilOf(i));
        const { entries, position } = await store.revocations.snapshot();
        assert.deepEqual(entries, appended.toSorted(bySeq));
        assert.equal(position.seq, COUNT);
        const pages: SnapshotPage[] = [];
        for (let next: string | null = null; pages.length === 0 || next !== null;) {
          const page: SnapshotPage = await readPage(store, next);
          pages.push(page);
          ({ next } = page);
        }
        assert.deepEqual(
          pages.map((page) => page.entries.length),
          [1_000, 1_000, 500],
        );
        for (const page of pages) assert.deepEqual(page.position, position);
        assert.deepEqual(pages.flatMap((page) => page.entries).toSorted(bySeq), entries);
      });
    });
  }

  void test("law 3: entries that are appended between two pages hide none of the others", async () => {
    await withStore(async (store) => {
      const now = await store.now();
      const appended = await append(store, COUNT, (i) => now + 100_000 + (i % 5) * 10_000);
      const seen = new Set<number>();
      let page = await readPage(store, null);
      for (let pages = 0; ; pages++) {
        for (const { seq } of page.entries) seen.add(seq);
        if (page.next === null) break;
        // Some end earlier than every entry, and some later than a part of them.
        await append(store, 3, (i) => now + 90_000 + i * 35_001, `late-${pages}-`);
        page = await readPage(store, page.next);
      }
      for (const { seq } of appended) assert.ok(seen.has(seq), `entry ${seq}`);
    });
  });

  void test("law 3: a page whose place has moved is refused, so that the reader begins again", async () => {
    await withStore(async (store) => {
      const until = (await store.now()) + 100_000;
      await append(store, COUNT, () => until);
      const first = await readPage(store, null);
      // Its text is before that of every entry that was seen.
      const last = first.entries.at(-1) as RevocationEntry;
      await server.cli("ZREM", `${stores - 1}:{store}:in-force`, JSON.stringify(last));
      await assert.rejects(store.revocations.snapshotPage?.(first.next) ?? Promise.resolve(), {
        code: "invalid_option",
      });
      assert.equal((await readPage(store, null)).entries.length, 1_000);
    });
  });

  void test("a page with a place that the store did not write is refused, and is no failure of the store", async () => {
    await withStore(async (store) => {
      const until = (await store.now()) + 100_000;
      await append(store, COUNT, () => until);
      const { next } = await readPage(store, null);
      const cursor = JSON.parse(String(next)) as unknown[];
      const places = ["", "1", "x 0 y", "nan 0 y", "-inf 0 y", "1 x y", "1 -5 y", "1 1e99 y", "(1 0 y"];
      for (const place of places) {
        const forged = JSON.stringify(cursor.with(cursor.length - 1, place));
        const read = store.revocations.snapshotPage?.(forged) ?? Promise.resolve();
        await assert.rejects(read, { code: "invalid_option" }, place);
      }
      assert.equal((await readPage(store, next)).entries.length, 1_000);
    });
  });

  void test("a clean-up erases many expired entries in short commands", async () => {
    let nowMs = Date.now();
    const clock = { now: () => nowMs, monotonic: () => nowMs, after: () => () => {} };
    const store = await redisStore({ url: server.url, prefix: `${stores++}:`, clock });
    try {
      await append(store, COUNT, () => nowMs + 1_000);
      nowMs += 2 * 86_400_000;
      await store.prune();
      const left = await server.cli("ZCARD", `${stores - 1}:{store}:in-force`);
      assert.equal(left?.trim(), ":1", "the epoch stays");
    } finally {
      await store.close();
    }
  });
});
