/** A change that a database had and lost. */
export interface LostChange {
  /** When the database made it, in true time. */
  readonly at: number;
  /** Whether the keys were deleted then, so that every change of them until then is lost. */
  readonly isWhole?: true;
  /** The keys that it wrote. `null` when they are unknown. */
  readonly keys: readonly string[] | null;
}

/** Changes that a database had, acknowledged or not, and lacks from some time on. */
export interface StoreLoss {
  /** When the database went back, in true time. */
  readonly since: number;
  /** Whether the processes that wrote still run, and remember their last writes. */
  readonly isRemembered: boolean;
  readonly changes: readonly LostChange[];
}

export function deletedKey(at: number, key: string): LostChange {
  return { at, keys: [key], isWhole: true };
}
