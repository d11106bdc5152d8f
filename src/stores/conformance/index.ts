import { describe, it } from "node:test";
import type { DurableStoreUnderTest, StoreUnderTest } from "./types.ts";
import { attemptCases } from "./attempts.ts";
import { durableCases, recordCases } from "./records.ts";
import { lostAnswerCases } from "./lost-answers.ts";
import { refreshCases } from "./refresh.ts";
import { revocationCases } from "./revocations.ts";
import { sessionCapCases } from "./session-cap.ts";
import { sessionCases } from "./sessions.ts";
import { snapshotsCases, type SnapshotsUnderTest } from "./snapshots.ts";

export type { DurableStoreUnderTest, SnapshotsUnderTest, StoreUnderTest };

/**
 * Declares the tests that every store must pass, for `node:test`. `open` returns a fresh, empty store for each test,
 * and the clock that drives it.
 *
 * @example
 * ```ts
 * import { memoryStore } from "holdfast/memory";
 * import { testStore } from "holdfast/store-conformance";
 * import { FakeClock } from "holdfast/testing";
 *
 * testStore("memory", () => {
 *   const clock = new FakeClock();
 *   const store = memoryStore({ clock });
 *   return { store, clock, close: () => store.close() };
 * });
 * ```
 */
export function testStore(name: string, open: () => StoreUnderTest | Promise<StoreUnderTest>): void {
  void describe(`${name} conforms to the contract of a store`, () => {
    const cases = {
      ...sessionCases,
      ...sessionCapCases,
      ...refreshCases,
      ...lostAnswerCases,
      ...revocationCases,
      ...recordCases,
      ...attemptCases,
    };
    defineTests(cases, open);
  });
}

/**
 * Declares the further tests that a store must pass if it keeps its data across a restart. `reopen` closes the store and
 * opens the same data again.
 *
 * @example
 * ```ts
 * import { testDurableStore, type DurableStoreUnderTest } from "holdfast/store-conformance";
 *
 * declare function openMyStore(): Promise<DurableStoreUnderTest>;
 *
 * testDurableStore("my store", openMyStore);
 * ```
 */
export function testDurableStore(
  name: string,
  open: () => DurableStoreUnderTest | Promise<DurableStoreUnderTest>,
): void {
  void describe(`${name} keeps acknowledged writes across a restart`, () => defineTests(durableCases, open));
}

/**
 * Declares the tests that every implementation of `Snapshots` must pass. `open` returns a fresh, empty one for each
 * test.
 *
 * @example
 * ```ts
 * import { testSnapshots, type SnapshotsUnderTest } from "holdfast/store-conformance";
 *
 * declare function openMySnapshots(): Promise<SnapshotsUnderTest>;
 *
 * testSnapshots("my snapshots", openMySnapshots);
 * ```
 */
export function testSnapshots(
  name: string,
  open: () => SnapshotsUnderTest | Promise<SnapshotsUnderTest>,
): void {
  void describe(`${name} conforms to the contract of snapshots`, () => defineTests(snapshotsCases, open));
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
