/** The command line cannot be understood. The exit code is 2. */
export class UsageError extends Error {}

interface Option {
  /** The placeholder of the value in the help, for example `ID`. Left out for a flag, which has no value. */
  readonly value?: string;
  readonly help: string;
}

interface Input {
  readonly operands: readonly string[];
  /** The values of each option that was given. A flag has the value `true`. */
  readonly options: Readonly<Record<string, readonly string[] | undefined>>;
}

export interface Command {
  /** One or two words, for example `user add`. */
  readonly name: string;
  readonly summary: string;
  /** The names of the operands in order. Optional ones are in brackets. */
  readonly operands: readonly string[];
  readonly options?: Readonly<Record<string, Option>>;
  readonly examples: readonly string[];
  /** Further facts, in whole sentences. */
  readonly notes?: string;
  /** Returns the exit code: 0 or 1. */
  readonly run: (input: Input) => Promise<number>;
}
