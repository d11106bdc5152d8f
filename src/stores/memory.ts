import { systemClock, type Clock } from "../core/clock.ts";
import { rejectUnknownOptions } from "../core/options.ts";
import type { Store } from "./store.ts";
import { SqliteConnection } from "./sqlite/connection.ts";
import { assembleStore } from "./sqlite/store.ts";

/**
 * A store that forgets everything with the process: for tests only, and never a default. It is the SQLite store
 * without its file, so what passes on it runs the code that production runs.
 */
export function memoryStore(options: { clock?: Clock } = {}): Store {
  rejectUnknownOptions("memoryStore", options, ["clock"]);
  const description = "memory (nothing is kept)";
  const db = new SqliteConnection({
    file: ":memory:",
    description,
    clock: options.clock ?? systemClock,
    random: () => 0,
    lockTimeoutMs: 0,
    // No disk to wait for, hence nothing to share: commands finish as soon as promises can.
    awaitBatch: async () => await Promise.resolve(),
  });
  return assembleStore(db, description);
}
