import type { AttemptDelta, AttemptStore, AttemptTotal } from "../attempt-store.ts";
import type { SqliteConnection } from "./connection.ts";

/** About 30 MB. In a flood of keys, the counts that began first go. */
const MAX_COUNTS = 200_000;

/** Counts that one command erases, so that it never delays other commands for long. */
const PRUNE_BATCH = 1000;

/** The part of the store for counts of attempts. */
export interface AttemptPart {
  readonly store: AttemptStore;
  /** Erases ended counts, in commands of bounded length. */
  readonly prune: () => Promise<void>;
}

/** `number` grows with the beginning of the windows, so the bound needs no count of the rows. */
export function createAttemptPart(db: SqliteConnection, maxCounts: number = MAX_COUNTS): AttemptPart {
  const find = db.prepare("SELECT number, count, endsAt FROM attempts WHERE key = ?");
  const begin = db.prepare("INSERT INTO attempts (key, count, endsAt) VALUES (?, ?, ?)");
  const change = db.prepare("UPDATE attempts SET count = ? WHERE number = ?");
  const erase = db.prepare("DELETE FROM attempts WHERE number = ?");
  const bound = db.prepare("DELETE FROM attempts WHERE number <= (SELECT max(number) FROM attempts) - ?");
  const eraseEnded = db.prepare(
    `DELETE FROM attempts WHERE number IN
      (SELECT number FROM attempts WHERE endsAt <= ? ORDER BY endsAt LIMIT ${PRUNE_BATCH})`,
  );

  function addOne({ key, count: added, windowMs }: AttemptDelta, nowMs: number): AttemptTotal {
    const row = find.get(key) as { number: number; count: number; endsAt: number } | undefined;
    const endsInMs = row === undefined ? 0 : row.endsAt - nowMs;
    // A count that ends later than a whole window is from before the clock was set back.
    if (row !== undefined && endsInMs > 0 && endsInMs <= windowMs) {
      const count = Math.max(0, row.count + added);
      if (count !== row.count) change.run(count, row.number);
      return { count, endsInMs };
    }
    if (row !== undefined) erase.run(row.number);
    const count = Math.max(0, added);
    if (count > 0) begin.run(key, count, nowMs + windowMs);
    return { count, endsInMs: windowMs };
  }

  return {
    store: {
      add: async (deltas) =>
        await db.write((nowMs) => {
          const totals = deltas.map((delta) => addOne(delta, nowMs));
          bound.run(maxCounts);
          return totals;
        }),
    },
    async prune() {
      for (let erased = PRUNE_BATCH; erased === PRUNE_BATCH;) {
        erased = await db.write((nowMs) => Number(eraseEnded.run(nowMs).changes));
      }
    },
  };
}
