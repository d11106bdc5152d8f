import { within } from "./clock.ts";
import { isLive, newest } from "./record.ts";
import type { AuthRecord, AuthStorage, ClientClock } from "./types.ts";

/** A storage that does not answer in this time counts as failed. */
const STORAGE_WAIT_MS = 1_800;
/** A storage that failed is not asked again for this time. */
const STORAGE_PAUSE_MS = 30_000;

/** Keeps the record in this page only. */
export function memoryStorage(): AuthStorage {
  let kept: AuthRecord | null = null;
  return {
    persistence: "memory",
    read: async () => await Promise.resolve(kept),
    update: async (change) => await Promise.resolve((kept = change(kept) ?? kept)),
  };
}

/**
 * Keeps the record in a storage that can fail. After a failure the page uses its own copy, and
 * writes the copy when the storage works again. No method rejects.
 */
export class DurableStorage {
  readonly #inner: AuthStorage;
  readonly #clock: ClientClock;
  /** The newest record that this page knows. */
  #known: AuthRecord | null = null;
  /** Whether the storage has had a record. */
  #wasStored = false;
  /** The monotonic time before which the storage is not asked. */
  #retryAt = -Infinity;
  persistence: "device" | "memory";

  constructor(inner: AuthStorage, clock: ClientClock) {
    this.#inner = inner;
    this.#clock = clock;
    this.persistence = inner.persistence;
  }

  async read(): Promise<AuthRecord | null> {
    return await this.#attempt(
      async () => {
        const stored = await this.#inner.read();
        const merged = this.#merge(stored);
        return merged === stored ? stored : await this.#write(() => undefined);
      },
      () => undefined,
    );
  }

  async update(change: (record: AuthRecord | null) => AuthRecord | undefined): Promise<AuthRecord | null> {
    return await this.#attempt(async () => await this.#write(change), change);
  }

  /** The record that other pages cannot read in the storage, because it failed. `null` otherwise. */
  get unstored(): AuthRecord | null {
    return this.persistence === this.#inner.persistence ? null : this.#known;
  }

  /** Takes over the record of another page, which cannot store it either. */
  offer(record: AuthRecord): void {
    this.#known = newest(this.#known, record);
  }

  close(): void {
    this.#inner.close?.();
  }

  async #write(change: (record: AuthRecord | null) => AuthRecord | undefined): Promise<AuthRecord | null> {
    return await this.#inner.update((stored) => {
      const merged = this.#merge(stored);
      return change(merged) ?? (merged === stored ? undefined : (merged ?? undefined));
    });
  }

  /** A record that vanished was deleted by the user or by the browser. The page keeps it, and does not store it again. */
  #merge(stored: AuthRecord | null): AuthRecord | null {
    if (stored === null && this.#wasStored && isLive(this.#known)) {
      this.#retryAt = Infinity;
      throw new Error("The stored session was deleted.");
    }
    return newest(stored, this.#known);
  }

  async #attempt(
    work: () => Promise<AuthRecord | null>,
    change: (record: AuthRecord | null) => AuthRecord | undefined,
  ): Promise<AuthRecord | null> {
    if (this.#clock.monotonic() >= this.#retryAt) {
      try {
        const stored = await within(this.#clock, STORAGE_WAIT_MS, work());
        this.#wasStored ||= stored !== null;
        this.persistence = this.#inner.persistence;
        return (this.#known = stored);
      } catch {
        this.#retryAt = Math.max(this.#retryAt, this.#clock.monotonic() + STORAGE_PAUSE_MS);
      }
    }
    this.persistence = "memory";
    return (this.#known = change(this.#known) ?? this.#known);
  }
}
