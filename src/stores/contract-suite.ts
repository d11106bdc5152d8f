import { describe, it } from "node:test";
import type { StoreUnderTest } from "./contract/fixtures.ts";
import { durableCases, recordCases } from "./contract/records.ts";
import { refreshCases } from "./contract/refresh.ts";
import { revocationCases } from "./contract/revocations.ts";
import { sessionCases } from "./contract/sessions.ts";
import { snapshotsCases, type SnapshotsUnderTest } from "./contract/snapshots.ts";

export type { SnapshotsUnderTest, StoreUnderTest };

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
export function storeContract(name: string, open: () => StoreUnderTest | Promise<StoreUnderTest>): void {
  void describe(`${name} keeps the contract of a store`, () => {
    each({ ...sessionCases, ...refreshCases, ...revocationCases, ...recordCases }, open);
    each(durableCases, open, (under) => under.reopen !== undefined);
  });
}

/** What every place for snapshots must do; `open` gives a fresh, empty one to each test. */
export function snapshotsContract(
  name: string,
  open: () => SnapshotsUnderTest | Promise<SnapshotsUnderTest>,
): void {
  void describe(`${name} keeps the contract of snapshots`, () => each(snapshotsCases, open));
}

function each<T extends { close(): void | Promise<void> }>(
  cases: Readonly<Record<string, (under: T) => Promise<void>>>,
  open: () => T | Promise<T>,
  concerns: (under: T) => boolean = () => true,
): void {
  for (const [title, run] of Object.entries(cases)) {
    void it(title, async (t) => {
      const under = await open();
      try {
        if (concerns(under)) await run(under);
        else t.skip("it keeps nothing");
      } finally {
        await under.close();
      }
    });
  }
}
