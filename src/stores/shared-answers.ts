import type { Clock } from "../core/clock.ts";

/** A shared answer to store. */
export interface SharedEntry {
  readonly name: string;
  readonly text: string;
  readonly ttlMs: number;
  /** Whether the entry replaces an existing one of the same name. */
  readonly replaces: boolean;
}

/**
 * A cache in which guards share the authority's answers. Names and texts are opaque: a reader learns nothing that
 * opens a session, and a writer cannot make a token valid. A lost entry costs one more call to the authority, so the
 * cache may evict.
 */
export interface SharedAnswers {
  /** Returns the texts in the order of the names. A text is `null` when the name has no entry. */
  get(names: readonly string[]): Promise<readonly (string | null)[]>;
  set(entries: readonly SharedEntry[]): Promise<void>;
  /** Records on a list that these names were used. */
  used(list: string, names: readonly string[]): Promise<void>;
  /** Lists up to 10,000 names, the most recently used first. */
  recent(list: string): Promise<readonly string[]>;
  /** Closes the connection and rejects the pending commands. */
  close(): Promise<void>;
}

/** Where shared answers are stored, and how their keys are derived. `redisAnswers` makes one. */
export interface SharedAnswersSource {
  /** Kind and location for people, without credentials. */
  readonly description: string;
  /** How long a guard waits for an answer, ms. */
  readonly timeoutMs: number;
  /** Returns 32 bytes per purpose, equal for all guards that share. They cannot be derived from the stored data. */
  deriveKey(purpose: string): Uint8Array;
  /** Connects in the background, without a deadline, and returns at once. The guard that opens it closes it. */
  open(context: { readonly clock: Clock; readonly random: () => number }): SharedAnswers;
}
