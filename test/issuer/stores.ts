import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { memoryStore } from "../../src/stores/memory.ts";
import { sqliteStore } from "../../src/stores/sqlite.ts";
import type { Store } from "../../src/stores/store.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";

type StoreTest = (store: Store, clock: FakeClock) => Promise<void>;

/** The stores on which the issuer is tested: a name, and a function that runs a test on a new store. */
export const stores: readonly (readonly [string, (run: StoreTest) => Promise<void>])[] = [
  [
    "memory",
    async (run) => {
      const clock = new FakeClock();
      await run(countCalls(memoryStore({ clock })), clock);
    },
  ],
  [
    "SQLite",
    async (run) => {
      const dir = mkdtempSync(join(tmpdir(), "holdfast-issuer-"));
      const clock = new FakeClock();
      const store = await sqliteStore({ file: join(dir, "holdfast.db"), clock });
      try {
        await run(countCalls(store), clock);
      } finally {
        await store.close();
        rmSync(dir, { recursive: true });
      }
    },
  ],
];

/** Each store of a test → the number of calls that it has not answered. */
const unanswered = new WeakMap<Store, () => number>();

/** The same store for `advanceInSteps`, which waits until every call is answered. */
export function countCalls(store: Store): Store {
  let calls = 0;
  const counted = wrapStore(store, async (_, call) => {
    calls++;
    try {
      return await call();
    } finally {
      calls--;
    }
  });
  unanswered.set(counted, () => calls);
  return counted;
}

/**
 * Advances the clock for background work on a store that does real I/O. After each step the store has answered every
 * call, so that no deadline of the fake clock passes while the disk of a busy machine works.
 */
export async function advanceInSteps(clock: FakeClock, store: Store, ms: number): Promise<void> {
  const calls = unanswered.get(store);
  if (calls === undefined) throw new Error("advanceInSteps needs a store of countCalls");
  for (let left = ms; left > 0; left -= 5_000) {
    await clock.advance(Math.min(left, 5_000));
    // The next call of a chain of calls follows within a turn of the event loop.
    for (let turns = 0; turns < 3; turns++) {
      await nextTurn();
      if (calls() > 0) turns = -1;
    }
  }
}

const parts = ["users", "sessions", "keys", "revocations", "audit", "markers"] as const;
type Method = (...args: unknown[]) => unknown;

/** Passes each call to the store through `intercept`. `name` is, for example, `sessions.rotate`. */
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

/** Fails calls for which `when` returns `before` or `after`: before the store does anything, or after it has done it. */
export function failStore(store: Store, when: (name: string) => "before" | "after" | false): Store {
  return wrapStore(store, async (name, call) => {
    const moment = when(name);
    if (moment === "before") throw new Error("the disk failed");
    const answer = await call();
    if (moment === "after") throw new Error("the answer was lost");
    return answer;
  });
}
