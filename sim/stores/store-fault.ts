/** A fault of a database. */
export interface StoreFault {
  readonly name: string;
  /** Whether the database may lose acknowledged writes. The documentation says so, too. */
  readonly losesAcknowledged?: true;
  /** Begins the fault. `random` is that of the seed. The returned function ends it. */
  readonly begin: (random: () => number) => () => void;
}
