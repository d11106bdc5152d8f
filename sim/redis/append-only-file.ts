import { Keyspace } from "./keyspace.ts";
import { applyChange, type Change } from "./server.ts";

/** How often a server with `appendfsync everysec` makes its file durable, ms. */
const SYNC_MS = 1000;
/** For how long such a server lets one sync run before it waits for it, ms. */
export const MAX_SYNC_MS = 1000;
/** Changes that are kept before they are merged into the base. */
const MAX_CHANGES = 1000;

/** The append-only file of a server. A killed server keeps all of it, and a power failure leaves what was synced. */
export class AppendOnlyFile {
  readonly #isAlways: boolean;
  #base = new Keyspace();
  #changes: { readonly change: Change; readonly at: number }[] = [];
  #tornAt = 0;

  /** `isAlways` stands for `appendfsync always`, and `everysec` otherwise. */
  constructor(isAlways: boolean) {
    this.#isAlways = isAlways;
  }

  /** `at` is the time that no step of a clock changes. */
  append(change: Change, at: number): void {
    this.#changes.push({ change, at });
    if (this.#changes.length > MAX_CHANGES) this.#merge(at);
  }

  /** Replaces the contents, as a rewrite after a full synchronization does. */
  rewrite(keys: Keyspace): void {
    this.#base = new Keyspace(undefined, keys);
    this.#changes = [];
  }

  /** Loses what is not durable at the time. The last sync had run for `syncMs`. Returns how many changes it lost. */
  losePower(at: number, syncMs: number): number {
    const end = this.#durableUntil(at, syncMs);
    const before = this.#changes.length;
    this.#changes = this.#changes.filter((one) => one.at <= end);
    this.#tornAt = at;
    return before - this.#changes.length;
  }

  /** Returns the data that a restart finds. */
  recover(): Keyspace {
    this.#applyUntil(Infinity);
    return new Keyspace(undefined, this.#base);
  }

  /** A sync makes durable what was written before it began. */
  #durableUntil(at: number, syncMs: number): number {
    if (this.#isAlways) return at;
    return Math.max(0, Math.floor((at - syncMs - this.#tornAt) / SYNC_MS)) * SYNC_MS + this.#tornAt;
  }

  #merge(at: number): void {
    this.#applyUntil(this.#durableUntil(at, MAX_SYNC_MS));
  }

  #applyUntil(end: number): void {
    const durable = this.#changes.filter((one) => one.at <= end);
    this.#changes = this.#changes.slice(durable.length);
    for (const { change } of durable) applyChange(this.#base, change);
  }
}
