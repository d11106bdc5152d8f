import { resolve } from "node:path";
import { systemClock, type Clock } from "../../core/clock.ts";
import type { Entropy } from "../../core/entropy.ts";
import { entropyOption, randomOption } from "../../core/entropy-options.ts";
import { option, readString, wholeOption, type OptionReader, type OptionTable } from "../../core/options.ts";
import { flagOption } from "../../core/option-values.ts";

const clockOption: OptionReader<Clock> = {
  read: (_name, value) => (value as Clock | undefined) ?? systemClock,
  default: undefined,
};

/** The options of `memoryStore`. */
export const memoryStoreOptionTable: OptionTable<{ clock: Clock; entropy: Entropy }> = {
  clock: clockOption,
  entropy: entropyOption("memoryStore"),
};

/** The checked options of `sqliteStore`. */
export interface SqliteStoreSettings {
  /** Absolute path. */
  readonly file: string;
  readonly lockTimeoutMs: number;
  readonly clock: Clock;
  readonly random: () => number;
  readonly entropy: Entropy;
  readonly thread: boolean;
}

/** The options of `sqliteStore`. */
export const sqliteStoreOptionTable: OptionTable<SqliteStoreSettings> = {
  file: option((name, value) => resolve(readString(name, value))),
  lockTimeoutMs: wholeOption(2000, 0, 60_000),
  clock: clockOption,
  random: randomOption,
  entropy: entropyOption("sqliteStore"),
  thread: flagOption(true),
};
