/** What was asked for cannot be understood: exit code 2. */
export class UsageError extends Error {}

interface Option {
  /** What stands for its value in the help: `ID`. */
  readonly value: string;
  readonly help: string;
}

interface Input {
  readonly operands: readonly string[];
  /** Each option that was given, with its values. */
  readonly options: Readonly<Record<string, readonly string[] | undefined>>;
}

export interface Command {
  /** One or two words: `user add`. */
  readonly name: string;
  readonly summary: string;
  /** In order; optional ones in brackets. */
  readonly operands: readonly string[];
  readonly options?: Readonly<Record<string, Option>>;
  readonly examples: readonly string[];
  /** More that must be known, in whole sentences. */
  readonly notes?: string;
  /** Returns the exit code: 0 or 1. */
  readonly run: (input: Input) => Promise<number>;
}
