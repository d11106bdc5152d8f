/** Attempts to add to the count of one key. */
export interface AttemptDelta {
  /** A keyed digest, of at most 64 characters of `A-Z a-z 0-9 _ -`. It is opaque to the store. */
  readonly key: string;
  /** A whole number. A negative one takes attempts back, and 0 only reads. */
  readonly count: number;
  /** How long a count that begins with this call lasts, ms. It does not extend a count that has begun. */
  readonly windowMs: number;
}

/** The count of one key over all processes. */
export interface AttemptTotal {
  /** At least 0. */
  readonly count: number;
  /** The time until the count ends, ms: at least 1. For a key without a count, this is `windowMs`. */
  readonly endsInMs: number;
}

/** Attempts that all processes on one store count together. */
export interface AttemptStore {
  /**
   * Adds every delta and returns the totals in the order of the deltas. No key occurs twice in a call. Each key is
   * changed atomically. A count below 0 becomes 0. The counts need not survive a crash of the store, and a store in a
   * flood may drop the counts that began first.
   */
  add(deltas: readonly AttemptDelta[]): Promise<readonly AttemptTotal[]>;
}
