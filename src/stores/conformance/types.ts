import type { Store } from "../store.ts";

/** A fresh, empty store and its clock. */
export interface StoreUnderTest {
  readonly store: Store;
  /** Advances the store's clock. */
  readonly clock: { advance(ms: number): void | Promise<void> };
  /** Closes the store and removes its data. */
  close(): void | Promise<void>;
}

/** A store that keeps its data across a restart. */
export interface DurableStoreUnderTest extends StoreUnderTest {
  /** Closes the store and opens the same data again. */
  reopen(): Promise<Store>;
}

/** Tests of a fresh store, by title. */
export type Cases<T = StoreUnderTest> = Readonly<Record<string, (under: T) => Promise<void>>>;
