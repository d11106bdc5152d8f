const SHARDS = 256;

/**
 * A map with string keys that grows without a long pause. A `Map` copies all its entries when it grows, which takes more
 * than a hundred milliseconds for a million. Here only one of 256 parts grows at a time.
 */
export class ShardedMap<V> {
  readonly #shards: readonly Map<string, V>[] = Array.from({ length: SHARDS }, () => new Map<string, V>());
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(key: string): V | undefined {
    return this.#shardOf(key).get(key);
  }

  has(key: string): boolean {
    return this.#shardOf(key).has(key);
  }

  set(key: string, value: V): void {
    const shard = this.#shardOf(key);
    const before = shard.size;
    shard.set(key, value);
    this.#size += shard.size - before;
  }

  delete(key: string): void {
    if (this.#shardOf(key).delete(key)) this.#size--;
  }

  *[Symbol.iterator](): Generator<[string, V]> {
    for (const shard of this.#shards) yield* shard;
  }

  /** FNV-1a over the last 32 characters, in which identifiers differ most. */
  #shardOf(key: string): Map<string, V> {
    let hash = 0x811c9dc5;
    for (let i = Math.max(0, key.length - 32); i < key.length; i++) {
      hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
    }
    return this.#shards[((hash >>> 16) ^ hash) & (SHARDS - 1)] as Map<string, V>;
  }
}
