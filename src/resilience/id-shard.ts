/** An id is added at most so many slots behind its own one. At half load nearly every id is within ten. */
const MAX_DISTANCE = 64;
const FIRST_CAPACITY = 8;
const FIRST_BYTES = 256;

/**
 * A part of `ExpiringIds`: a hash table with linear probing, in typed arrays. The entries are dense and numbered from 0.
 * The last entry takes the number of a removed one.
 */
export class IdShard {
  readonly #width: number;
  #count = 0;
  /** Two numbers for each slot: the hash, and the entry plus 1. An entry of 0 is an empty slot. Half of the slots stay empty. */
  #slots = new Uint32Array(4 * FIRST_CAPACITY);
  /** The largest distance of an id from its own slot so far. A look-up need not go further. */
  #maxDistance = 0;
  /** `width` numbers for each entry. */
  #numbers: Float64Array;
  /** Two numbers for each entry: where its id begins in `#bytes`, and `2 * length`, plus 1 when a character takes two bytes. */
  #places = new Uint32Array(2 * FIRST_CAPACITY);
  #bytes = new Uint8Array(FIRST_BYTES);
  #usedBytes = 0;
  /** The bytes of removed ids among the used ones. */
  #freedBytes = 0;

  constructor(width: number) {
    this.#width = width;
    this.#numbers = new Float64Array(width * FIRST_CAPACITY);
  }

  get count(): number {
    return this.#count;
  }

  /** Returns the entry of the id, or -1. */
  find(hash: number, id: string): number {
    const slots = this.#slots;
    const last = slots.length - 2;
    let at = (hash << 1) & last;
    for (let left = this.#maxDistance; left >= 0; left--) {
      const entry = (slots[at + 1] as number) - 1;
      if (entry < 0) return -1;
      if (slots[at] === hash && this.#isId(entry, id)) return entry;
      at = (at + 2) & last;
    }
    return -1;
  }

  /** Adds an unknown id. Returns false when too many ids stand where it should. */
  add(hash: number, id: string, numbers: readonly number[]): boolean {
    if (2 * this.#count === this.#places.length) this.#resize(2 * this.#count);
    if (!this.#occupySlot(hash, this.#count, MAX_DISTANCE)) return false;
    const entry = this.#count++;
    this.#writeId(entry, id);
    this.replace(entry, numbers);
    return true;
  }

  replace(entry: number, numbers: readonly number[]): void {
    for (let i = 0; i < this.#width; i++) this.#numbers[entry * this.#width + i] = numbers[i] ?? 0;
  }

  untilOf(entry: number): number {
    return this.#numbers[entry * this.#width] as number;
  }

  numbersOf(entry: number): number[] {
    return Array.from(this.#numbers.subarray(entry * this.#width, (entry + 1) * this.#width));
  }

  idOf(entry: number): string {
    const from = this.#places[2 * entry] as number;
    const size = this.#sizeOf(entry);
    const bytes = Buffer.from(this.#bytes.buffer, from, size);
    return this.#isWide(entry) ? bytes.toString("utf16le") : bytes.toString("latin1");
  }

  /** Removes the entry. `hashOf` finds the slots of its id and of the last one. */
  remove(entry: number, hashOf: (id: string) => number): void {
    const last = this.#count - 1;
    this.#freeSlot(this.#slotOf(hashOf(this.idOf(entry)), entry));
    this.#freedBytes += this.#sizeOf(entry);
    if (entry !== last) {
      this.#slots[this.#slotOf(hashOf(this.idOf(last)), last) + 1] = entry + 1;
      this.#places.copyWithin(2 * entry, 2 * last, 2 * last + 2);
      this.#numbers.copyWithin(entry * this.#width, last * this.#width, (last + 1) * this.#width);
    }
    this.#count = last;
    const capacity = this.#places.length / 2;
    if (capacity > FIRST_CAPACITY && last * 4 < capacity) this.#resize(capacity / 2);
  }

  #isId(entry: number, id: string): boolean {
    const place = this.#places[2 * entry + 1] as number;
    if (place >>> 1 !== id.length) return false;
    const bytes = this.#bytes;
    let at = this.#places[2 * entry] as number;
    if ((place & 1) === 0) {
      for (let i = 0; i < id.length; i++) if (bytes[at++] !== id.charCodeAt(i)) return false;
      return true;
    }
    for (let i = 0; i < id.length; i++, at += 2) {
      const unit = id.charCodeAt(i);
      if (bytes[at] !== (unit & 0xff) || bytes[at + 1] !== unit >>> 8) return false;
    }
    return true;
  }

  #isWide(entry: number): boolean {
    return ((this.#places[2 * entry + 1] as number) & 1) === 1;
  }

  /** The bytes of the entry's id. */
  #sizeOf(entry: number): number {
    const length = (this.#places[2 * entry + 1] as number) >>> 1;
    return this.#isWide(entry) ? 2 * length : length;
  }

  #writeId(entry: number, id: string): void {
    let isWide = 0;
    for (let i = 0; i < id.length; i++) if (id.charCodeAt(i) > 0xff) isWide = 1;
    const size = id.length << isWide;
    if (this.#usedBytes + size > this.#bytes.length) this.#packBytes(entry, size);
    this.#places[2 * entry] = this.#usedBytes;
    this.#places[2 * entry + 1] = 2 * id.length + isWide;
    let at = this.#usedBytes;
    for (let i = 0; i < id.length; i++) {
      const unit = id.charCodeAt(i);
      this.#bytes[at++] = unit & 0xff;
      if (isWide === 1) this.#bytes[at++] = unit >>> 8;
    }
    this.#usedBytes = at;
  }

  /** Moves the ids of the first `count` entries to a new array with room for `more` bytes and for growth by a half. */
  #packBytes(count: number, more: number): void {
    const live = this.#usedBytes - this.#freedBytes;
    const packed = new Uint8Array(Math.max(FIRST_BYTES, Math.ceil((live + more) * 1.5)));
    let end = 0;
    for (let entry = 0; entry < count; entry++) {
      const from = this.#places[2 * entry] as number;
      const size = this.#sizeOf(entry);
      packed.set(this.#bytes.subarray(from, from + size), end);
      this.#places[2 * entry] = end;
      end += size;
    }
    this.#bytes = packed;
    this.#usedBytes = end;
    this.#freedBytes = 0;
  }

  #resize(capacity: number): void {
    const { length } = this.#places;
    this.#places = resized(this.#places, new Uint32Array(2 * capacity));
    this.#numbers = resized(this.#numbers, new Float64Array(this.#width * capacity));
    if (2 * capacity < length) this.#packBytes(this.#count, 0);
    const slots = this.#slots;
    this.#slots = new Uint32Array(4 * capacity);
    this.#maxDistance = 0;
    for (let at = 0; at < slots.length; at += 2) {
      const entry = (slots[at + 1] as number) - 1;
      if (entry >= 0) this.#occupySlot(slots[at] as number, entry, Infinity);
    }
  }

  /** Returns false when no slot within `maxDistance` of the hash is empty. */
  #occupySlot(hash: number, entry: number, maxDistance: number): boolean {
    const last = this.#slots.length - 2;
    let at = (hash << 1) & last;
    for (let distance = 0; distance <= maxDistance; distance++) {
      if (this.#slots[at + 1] === 0) {
        this.#slots[at] = hash;
        this.#slots[at + 1] = entry + 1;
        this.#maxDistance = Math.max(this.#maxDistance, distance);
        return true;
      }
      at = (at + 2) & last;
    }
    return false;
  }

  /** The slot of an entry that exists. */
  #slotOf(hash: number, entry: number): number {
    const last = this.#slots.length - 2;
    let at = (hash << 1) & last;
    while (this.#slots[at + 1] !== entry + 1) at = (at + 2) & last;
    return at;
  }

  /** Empties the slot, and moves ids behind it towards their own slots. A look-up ends at the first empty slot. */
  #freeSlot(freed: number): void {
    const slots = this.#slots;
    const last = slots.length - 2;
    let hole = freed;
    for (let at = (hole + 2) & last; slots[at + 1] !== 0; at = (at + 2) & last) {
      const own = ((slots[at] as number) << 1) & last;
      // An id may not stand before its own slot.
      if (((at - own) & last) < ((at - hole) & last)) continue;
      slots.copyWithin(hole, at, at + 2);
      hole = at;
    }
    slots[hole] = 0;
    slots[hole + 1] = 0;
  }
}

function resized<A extends Uint32Array | Float64Array>(from: A, to: A): A {
  to.set(from.subarray(0, Math.min(from.length, to.length)));
  return to;
}

/** Iterates over the entries from the last one to the first. The removal of an entry during the iteration leaves out no other entry. */
export function* backwards(shard: { readonly count: number }): Generator<number> {
  for (let entry = shard.count - 1; entry >= 0; entry--) {
    yield entry;
    entry = Math.min(entry, shard.count);
  }
}
