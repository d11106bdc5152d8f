/** Something in a history that must not happen. */
export interface Violation {
  /** The name of the check. */
  readonly check: string;
  /** True time, epoch milliseconds. */
  readonly at: number;
  /** The process that answered or saw it. `null` for the run as a whole. */
  readonly process: string | null;
  /** What happened, for people. */
  readonly message: string;
}
