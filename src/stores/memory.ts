import type { Clock } from "../core/clock.ts";
import type { Entropy } from "../core/entropy.ts";
import { readOptions } from "../core/options.ts";
import type { Store } from "./store.ts";
import { SqliteConnection } from "./sqlite/connection.ts";
import { createLogEpoch } from "./sqlite/open.ts";
import { memoryStoreOptionTable } from "./sqlite/options.ts";
import { assembleStore } from "./sqlite/store.ts";

/**
 * Opens a store that loses everything when the process ends. It is for tests, and never a default. It runs the code of
 * the SQLite store on a database without a file, so a test against it covers what production runs.
 *
 * Throws `invalid_option` for an unknown option.
 *
 * @example
 * ```ts
 * import { memoryStore } from "holdfast/memory";
 * import { FakeClock } from "holdfast/testing";
 *
 * const store = memoryStore({ clock: new FakeClock() });
 * ```
 */
export function memoryStore(options: { clock?: Clock; entropy?: Entropy } = {}): Store {
  const { clock, entropy } = readOptions("memoryStore", options, memoryStoreOptionTable);
  const description = "memory (nothing is kept)";
  const connection = new SqliteConnection({
    file: ":memory:",
    description,
    clock,
    random: () => 0,
    lockTimeoutMs: 0,
    newEpoch: createLogEpoch(entropy),
    // Memory needs no disk write that commands could share, so a batch does not wait for more commands.
    awaitBatch: async () => await Promise.resolve(),
  });
  return assembleStore(connection, description);
}
