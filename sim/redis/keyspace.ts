import { ErrorReply, WRONG_TYPE } from "./reply.ts";
import { SortedSet } from "./sorted-set.ts";

/** An entry of a stream: its id in two parts, and its fields. */
export interface StreamEntry {
  readonly ms: number;
  readonly seq: number;
  readonly fields: readonly string[];
}

export interface Stream {
  entries: StreamEntry[];
  /** The id of the last entry that was ever added, which may have been trimmed since. */
  last: { readonly ms: number; readonly seq: number };
}

/** The values by their types. All texts have one byte in each character. */
export interface ValueTypes {
  string: { text: string };
  hash: Map<string, string>;
  list: string[];
  zset: SortedSet;
  stream: Stream;
}

interface Entry<T extends keyof ValueTypes = keyof ValueTypes> {
  readonly type: T;
  readonly value: ValueTypes[T];
  /** When the key expires, epoch ms. `null` when it does not. */
  expiresAt: number | null;
  /** Grows with each use of any key. */
  usedAt?: number;
}

/** Which key a server without memory deletes: the least recently used one, or the one that expires first. */
export type EvictionPolicy = "allkeys-lru" | "volatile-ttl";

/** The keys of a database. */
export class Keyspace {
  readonly #entries: Map<string, Entry>;
  readonly #onExpired: (key: string) => void;
  /** The time of the command that runs. `null` while a replica or a restart applies commands: no key expires then. */
  now: number | null = null;
  /** Counts changes. */
  changes = 0;
  #uses = 0;

  /** `onExpired` is called with each key that has expired, when a command finds it. */
  constructor(onExpired: (key: string) => void = () => {}, from?: Keyspace) {
    this.#onExpired = onExpired;
    this.#entries = new Map(
      from === undefined ? [] : Array.from(from.#entries, ([key, one]) => [key, copy(one)]),
    );
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The keys that exist, without those that have expired. */
  names(): string[] {
    return [...this.#entries.keys()].filter((key) => this.has(key));
  }

  has(key: string): boolean {
    return this.#find(key) !== undefined;
  }

  typeOf(key: string): keyof ValueTypes | null {
    return this.#find(key)?.type ?? null;
  }

  /** The value. `null` when the key does not exist. Throws an error reply when it has another type. */
  read<T extends keyof ValueTypes>(key: string, type: T): ValueTypes[T] | null {
    const entry = this.#find(key);
    if (entry === undefined) return null;
    if (entry.type !== type) throw new ErrorReply(WRONG_TYPE);
    return entry.value as ValueTypes[T];
  }

  /** The value, which `create` makes when the key does not exist. */
  readOrCreate<T extends keyof ValueTypes>(key: string, type: T, create: () => ValueTypes[T]): ValueTypes[T] {
    const existing = this.read(key, type);
    if (existing !== null) return existing;
    const value = create();
    this.#entries.set(key, { type, value, expiresAt: null });
    return value;
  }

  /** Replaces the key, whatever its type was, and its expiry. */
  replaceText(key: string, text: string, expiresAt: number | null): void {
    this.#entries.set(key, { type: "string", value: { text }, expiresAt });
    this.changes++;
  }

  delete(key: string): boolean {
    if (this.#find(key) === undefined) return false;
    this.#entries.delete(key);
    this.changes++;
    return true;
  }

  /** Deletes every key. */
  clear(): void {
    this.#entries.clear();
    this.changes++;
  }

  /** Deletes the key when its value has become empty, as Redis does. */
  deleteIfEmpty(key: string, size: number): void {
    if (size === 0) this.#entries.delete(key);
  }

  /** When the key expires. `null` when it does not, and `undefined` when it does not exist. */
  expiryOf(key: string): number | null | undefined {
    return this.#find(key)?.expiresAt;
  }

  expire(key: string, at: number): boolean {
    const entry = this.#find(key);
    if (entry === undefined) return false;
    entry.expiresAt = at;
    this.changes++;
    // A key that is set to a time in the past is gone at once.
    this.#find(key);
    return true;
  }

  /** The key that the policy deletes first. `null` when it deletes none. A server looks at a sample, and the model at all. */
  nextEvicted(policy: EvictionPolicy): string | null {
    const rank = ({ expiresAt, usedAt = 0 }: Entry) => (policy === "allkeys-lru" ? usedAt : expiresAt);
    let next: { key: string; rank: number } | null = null;
    for (const [key, entry] of this.#entries) {
      const own = rank(entry);
      if (own !== null && (next === null || own < next.rank)) next = { key, rank: own };
    }
    return next?.key ?? null;
  }

  #find(key: string): Entry | undefined {
    const entry = this.#entries.get(key);
    if (entry !== undefined) entry.usedAt = ++this.#uses;
    if (entry === undefined || entry.expiresAt === null || this.now === null) return entry;
    if (this.now < entry.expiresAt) return entry;
    this.#entries.delete(key);
    this.#onExpired(key);
    return undefined;
  }
}

function copy(entry: Entry): Entry {
  return { ...entry, value: copyValue(entry.value) };
}

function copyValue(value: ValueTypes[keyof ValueTypes]): ValueTypes[keyof ValueTypes] {
  if (value instanceof SortedSet) return new SortedSet(value);
  if (value instanceof Map) return new Map(value);
  if (Array.isArray(value)) return [...value];
  return "text" in value ? { ...value } : { ...value, entries: [...value.entries] };
}
