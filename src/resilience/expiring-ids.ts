import { backwards, IdShard } from "./id-shard.ts";

/** Only one of so many parts grows at a time. The growth of one part with 16,000 ids takes less than a millisecond. */
const SHARD_BITS = 6;
/** So many characters count at each end of an id. The ids of one provider may have a long common beginning or end. */
const HASHED_CHARS = 128;

/**
 * Remembers until when each id counts, and further numbers of the id. A million ids take about 70 bytes each, outside of
 * the heap of JavaScript. On the heap, the garbage collector would move each new id twice and mark every id again and
 * again. One such step stops the thread for longer than any of the work here.
 */
export class ExpiringIds {
  readonly #width: number;
  readonly #shards: (IdShard | undefined)[] = Array.from({ length: 1 << SHARD_BITS }, () => undefined);
  /**
   * The ids that have too many neighbours. Ids are chosen by others, and chosen ids can collide. With this map a
   * look-up takes at most as long as one in the shards and one in a `Map`, whose hash is secret.
   */
  readonly #crowded = new Map<string, readonly number[]>();
  #size = 0;

  /** `extraNumbers` is how many numbers each id has in addition to its time. */
  constructor(extraNumbers = 0) {
    this.#width = 1 + extraNumbers;
  }

  get size(): number {
    return this.#size;
  }

  has(id: string): boolean {
    const hash = hashOf(id);
    const shard = this.#shards[hash >>> (32 - SHARD_BITS)];
    if (shard !== undefined && shard.find(hash, id) >= 0) return true;
    return this.#crowded.size > 0 && this.#crowded.has(id);
  }

  /** The time until which the id counts. `undefined` for an unknown id. */
  until(id: string): number | undefined {
    const hash = hashOf(id);
    const shard = this.#shards[hash >>> (32 - SHARD_BITS)];
    const entry = shard?.find(hash, id) ?? -1;
    if (shard !== undefined && entry >= 0) return shard.untilOf(entry);
    return this.#crowded.get(id)?.[0];
  }

  /** The time until which the id counts, and its further numbers. `undefined` for an unknown id. */
  get(id: string): readonly number[] | undefined {
    const hash = hashOf(id);
    const shard = this.#shards[hash >>> (32 - SHARD_BITS)];
    const entry = shard?.find(hash, id) ?? -1;
    if (shard !== undefined && entry >= 0) return shard.numbersOf(entry);
    return this.#crowded.size > 0 ? this.#crowded.get(id) : undefined;
  }

  /** Adds the id or replaces its numbers. The first number is the time until which the id counts. */
  set(id: string, ...numbers: readonly number[]): void {
    const hash = hashOf(id);
    const shard = (this.#shards[hash >>> (32 - SHARD_BITS)] ??= new IdShard(this.#width));
    const entry = shard.find(hash, id);
    if (entry >= 0) return shard.replace(entry, numbers);
    const isKnown = this.#crowded.has(id);
    if (isKnown || !shard.add(hash, id, numbers)) this.#crowded.set(id, numbers);
    if (!isKnown) this.#size++;
  }

  delete(id: string): void {
    const hash = hashOf(id);
    const shard = this.#shards[hash >>> (32 - SHARD_BITS)];
    const entry = shard?.find(hash, id) ?? -1;
    if (shard !== undefined && entry >= 0) this.#remove(shard, entry);
    else if (this.#crowded.delete(id)) this.#size--;
  }

  /** An id that is added or removed during the iteration may be left out or come twice. Every other id comes once. */
  *[Symbol.iterator](): Generator<[id: string, numbers: readonly number[]]> {
    for (const shard of this.#shards) {
      if (shard === undefined) continue;
      for (const entry of backwards(shard)) yield [shard.idOf(entry), shard.numbersOf(entry)];
    }
    yield* this.#crowded;
  }

  /** Drops the ids whose time is one of which `isOver` is true. Yields after each id, so that the caller can pause. */
  *drop(isOver: (until: number) => boolean): Generator<void, void, undefined> {
    for (const shard of this.#shards) {
      if (shard === undefined) continue;
      for (const entry of backwards(shard)) {
        if (isOver(shard.untilOf(entry))) this.#remove(shard, entry);
        yield;
      }
    }
    for (const [id, [until = 0]] of this.#crowded) {
      if (isOver(until) && this.#crowded.delete(id)) this.#size--;
      yield;
    }
  }

  #remove(shard: IdShard, entry: number): void {
    shard.remove(entry, hashOf);
    this.#size--;
  }
}

/** FNV-1a with a final mix, because the first bits choose the shard and the last bits the place in it. */
function hashOf(id: string): number {
  let hash = 0x811c9dc5;
  const rest = Math.max(HASHED_CHARS, id.length - HASHED_CHARS);
  for (let i = 0; i < id.length; i++) {
    if (i === HASHED_CHARS) i = rest;
    hash = Math.imul(hash ^ id.charCodeAt(i), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
