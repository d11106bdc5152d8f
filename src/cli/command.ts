import type { ParseArgsOptionsConfig } from "node:util";

/** What was asked for cannot be understood: exit code 2. */
export class UsageError extends Error {}

export interface Input {
  readonly operands: readonly string[];
  readonly options: Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>;
}

export interface Command {
  /** One or two words: `user add`. */
  readonly name: string;
  readonly summary: string;
  /** In order; optional ones in brackets. */
  readonly operands: readonly string[];
  readonly options: ParseArgsOptionsConfig;
  /** Each option, as written and as explained. */
  readonly explained: Readonly<Record<string, string>>;
  readonly examples: readonly string[];
  /** More that must be known, in whole sentences. */
  readonly notes?: string;
  /** Returns the exit code: 0 or 1. */
  run(input: Input): Promise<number>;
}
