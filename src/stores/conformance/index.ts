import { describe, it } from "node:test";
import type { DurableStoreUnderTest, StoreUnderTest } from "./fixtures.ts";
import { durableCases, recordCases } from "./records.ts";
import { refreshCases } from "./refresh.ts";
import { revocationCases } from "./revocations.ts";
import { sessionCases } from "./sessions.ts";
import { snapshotsCases, type SnapshotsUnderTest } from "./snapshots.ts";

export type { DurableStoreUnderTest, SnapshotsUnderTest, StoreUnderTest };

/**
 * What every store must do, as tests for `node:test`. Those who write a store run it against theirs; `open`
 * gives a fresh, empty one to each test.
 *
 * ```ts
 * storeContract("memory", () => {
 *   const clock = new FakeClock();
 *   const store = memoryStore({ clock });
 *   return { store, clock, close: () => store.close() };
 * });
 * ```
 */
export function testStore(name: string, open: () => StoreUnderTest | Promise<StoreUnderTest>): void {
  void describe(`${name} keeps the contract of a store`, () => {
    defineTests({ ...sessionCases, ...refreshCases, ...revocationCases, ...recordCases }, open);
  });
}

/** What a store must do besides that keeps its data over a restart. */
export function testDurableStore(
  name: string,
  open: () => DurableStoreUnderTest | Promise<DurableStoreUnderTest>,
): void {
  void describe(`${name} keeps what it acknowledged`, () => defineTests(durableCases, open));
}

/** What every place for snapshots must do; `open` gives a fresh, empty one to each test. */
export function testSnapshots(
  name: string,
  open: () => SnapshotsUnderTest | Promise<SnapshotsUnderTest>,
): void {
  void describe(`${name} keeps the contract of snapshots`, () => defineTests(snapshotsCases, open));
}

function defineTests<T extends { close(): void | Promise<void> }>(
  cases: Readonly<Record<string, (under: T) => Promise<void>>>,
  open: () => T | Promise<T>,
): void {
  for (const [title, run] of Object.entries(cases)) {
    void it(title, async () => {
      const under = await open();
      try {
        await run(under);
      } finally {
        await under.close();
      }
    });
  }
}
