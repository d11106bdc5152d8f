import { computeSlot } from "../../src/stores/redis/cluster-slot.ts";
import { fromBytes } from "./bytes.ts";
import { ErrorReply } from "./reply.ts";

const SLOTS = 16_384;
const SPLIT = "TRYAGAIN Multiple keys request during rehashing of slot";

/** A command on keys, as a server of a cluster receives it. */
export interface KeyedCommand {
  /** The keys as the server holds them. */
  readonly keys: readonly string[];
  /** Whether the command follows `ASKING`. */
  readonly isAsking: boolean;
  /** Whether the server has the key. */
  readonly has: (key: string) => boolean;
}

/** Which shard of a cluster has each slot, and which slots are moving. */
export class SlotTable {
  readonly #shards: number;
  /** The slots that have moved, with the shards that have them now. */
  readonly #moved = new Map<number, number>();
  /** The slots that are moving, with the shards that import them. */
  readonly #importing = new Map<number, number>();

  constructor(shards: number) {
    this.#shards = shards;
  }

  ownerOf(slot: number): number {
    return this.#moved.get(slot) ?? Math.floor(slot / Math.ceil(SLOTS / this.#shards));
  }

  /** Returns the owners as they are now. The function does not notice later moves. */
  snapshot(): (slot: number) => number {
    const moved = new Map(this.#moved);
    return (slot) => moved.get(slot) ?? Math.floor(slot / Math.ceil(SLOTS / this.#shards));
  }

  /** The ranges of the slots of a shard, as `CLUSTER NODES` lists them. */
  describe(shard: number): string {
    const ranges: string[] = [];
    for (let slot = 0, start = 0; slot <= SLOTS; slot++) {
      const isOwn = slot < SLOTS && this.ownerOf(slot) === shard;
      if (isOwn) continue;
      if (start < slot) ranges.push(start === slot - 1 ? String(start) : `${start}-${slot - 1}`);
      start = slot + 1;
    }
    return ranges.join(" ");
  }

  /** Whether a slot of the shard is moving away. */
  isGiving(shard: number): boolean {
    return [...this.#importing.keys()].some((slot) => this.ownerOf(slot) === shard);
  }

  isMoving(slot: number): boolean {
    return this.#importing.has(slot);
  }

  /** From now on, the owner gives the keys of the slot to the shard. */
  begin(slot: number, to: number): void {
    this.#importing.set(slot, to);
  }

  finish(slot: number): void {
    this.#moved.set(slot, this.#importing.get(slot) ?? this.ownerOf(slot));
    this.#importing.delete(slot);
  }

  /**
   * Throws the error with which a primary of the shard refuses a command, as `getNodeByQuery` of Redis decides it.
   * `addressOf` returns the address of the primary of a shard.
   */
  assertServed(
    shard: number,
    { keys, isAsking, has }: KeyedCommand,
    addressOf: (shard: number) => string,
  ): void {
    const [slot = 0, ...others] = new Set(keys.map(slotOf));
    if (keys.length === 0) return;
    if (others.length > 0) throw new ErrorReply("CROSSSLOT Keys in request don't hash to the same slot");
    const owner = this.ownerOf(slot);
    const target = this.#importing.get(slot);
    const missing = target === undefined ? [] : keys.filter((key) => !has(key));
    if (owner === shard) {
      if (target === undefined || missing.length === 0) return;
      throw new ErrorReply(missing.length < keys.length ? SPLIT : `ASK ${slot} ${addressOf(target)}`);
    }
    if (target !== shard || !isAsking) throw new ErrorReply(`MOVED ${slot} ${addressOf(owner)}`);
    if (new Set(keys).size > 1 && missing.length > 0) throw new ErrorReply(SPLIT);
  }
}

/** The slot of a key as a server holds it. */
export function slotOf(key: string): number {
  return computeSlot(fromBytes(key));
}
