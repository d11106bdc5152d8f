import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Store } from "../../src/stores/store.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { sqliteStore } from "../../src/stores/sqlite.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";

type StoreTest = (store: Store, clock: FakeClock) => Promise<void>;

/** What the issuer is tested on: by name, and how to open one for the time of a test. */
export const stores: readonly (readonly [string, (run: StoreTest) => Promise<void>])[] = [
  [
    "memory",
    async (run) => {
      const clock = new FakeClock();
      await run(memoryStore({ clock }), clock);
    },
  ],
  [
    "SQLite",
    async (run) => {
      const dir = mkdtempSync(join(tmpdir(), "holdfast-issuer-"));
      const clock = new FakeClock();
      const store = await sqliteStore({ file: join(dir, "holdfast.db"), clock });
      try {
        await run(store, clock);
      } finally {
        await store.close();
        rmSync(dir, { recursive: true });
      }
    },
  ],
];

/**
 * Lets time pass for background work on a store that does real I/O: in steps shorter than its deadlines, after
 * each of which the store has answered.
 */
export async function advanceInSteps(clock: FakeClock, store: Store, ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 5_000) {
    await clock.advance(Math.min(left, 5_000));
    await store.revocations.snapshot();
    // A write waits for a turn of the event loop, and for those before it.
    for (let turns = 0; turns < 3; turns++) await nextTurn();
  }
}

const parts = ["users", "sessions", "keys", "revocations", "audit", "markers"] as const;
type Method = (...args: unknown[]) => unknown;

/** The same store, each of whose methods goes through `around`; `name` is such as `sessions.rotate`. */
export function wrapStore(
  store: Store,
  intercept: (name: string, call: () => unknown, args: unknown[]) => unknown,
): Store {
  const wrap = (part: object, prefix: string) =>
    Object.fromEntries(
      Object.entries(part).map(([name, value]) => {
        if (typeof value !== "function" || name === "subscribe") return [name, value];
        const method = value as Method;
        return [name, (...args: unknown[]) => intercept(prefix + name, () => method(...args), args)];
      }),
    );
  const inner = Object.fromEntries(parts.map((part) => [part, wrap(store[part], `${part}.`)]));
  return { ...wrap(store, ""), ...inner } as unknown as Store;
}

/** Fails at the methods for which `when` says so: `before` they do anything, or `after` they did it. */
export function failStore(store: Store, when: (name: string) => "before" | "after" | false): Store {
  return wrapStore(store, async (name, call) => {
    const moment = when(name);
    if (moment === "before") throw new Error("the disk is on fire");
    const answer = await call();
    if (moment === "after") throw new Error("the answer was lost");
    return answer;
  });
}
