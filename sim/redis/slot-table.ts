import { computeSlot } from "../../src/stores/redis/cluster-slot.ts";
import { fromBytes } from "./bytes.ts";
import { ErrorReply } from "./reply.ts";

const SLOTS = 16_384;
const SPLIT = "TRYAGAIN Multiple keys request during rehashing of slot";

/** A server of a cluster, and its place in it. */
interface ShardServer {
  readonly name: string;
  readonly shard: number;
}

/** A command on keys, as a server of a cluster receives it. */
export interface KeyedCommand {
  /** The keys as the server holds them. */
  readonly keys: readonly string[];
  /** Whether the command follows `ASKING`. */
  readonly isAsking: boolean;
  /** Whether the server has the key. */
  readonly has: (key: string) => boolean;
}

/**
 * A slot that is moving. The state `MIGRATING` belongs to one server and `IMPORTING` to another one. Redis 7.0 tells
 * no replica, so a server loses its state when its replica takes over.
 */
interface OpenSlot {
  /** The shard that imports the slot. */
  readonly to: number;
  /** The address to which the source sends clients. */
  readonly target: string;
  /** The primary of the slot when the move began. */
  readonly source: string;
  /** Whether a replica of the source has taken over, which the importing server never learns. */
  isUncovered: boolean;
  /** The server with the state. `null` when no server has it. */
  migrating: string | null;
  importing: string | null;
}

/** Which shard of a cluster has each slot, and which slots are moving. */
export class SlotTable {
  readonly #shards: number;
  /** The slots that have moved, with the shards that have them now. */
  readonly #moved = new Map<number, number>();
  readonly #open = new Map<number, OpenSlot>();

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

  /** The slots that move away from the shard. */
  givenBy(shard: number): number[] {
    return [...this.#open.keys()].filter((slot) => this.ownerOf(slot) === shard);
  }

  isMoving(slot: number): boolean {
    return this.#open.has(slot);
  }

  /** From now on, the server `source` gives the keys of the slot to the server `target` of the shard. */
  begin(slot: number, to: number, { source, target }: { source: string; target: string }): void {
    const states = { migrating: source, importing: target };
    this.#open.set(slot, { to, source, target, isUncovered: false, ...states });
  }

  /** Whether these servers still know about the move. */
  isIntact(slot: number, source: string, target: string): boolean {
    const open = this.#open.get(slot);
    return open?.migrating === source && open.importing === target;
  }

  /** A replica of the server takes over, and knows nothing of its moves. */
  replace(server: string): void {
    for (const open of this.#open.values()) open.isUncovered ||= open.source === server;
  }

  /** A server that becomes a replica forgets the slots that it moves. */
  forget(server: string): void {
    for (const open of this.#open.values()) {
      if (open.migrating === server) open.migrating = null;
      if (open.importing === server) open.importing = null;
    }
  }

  finish(slot: number): void {
    this.#moved.set(slot, this.#open.get(slot)?.to ?? this.ownerOf(slot));
    this.#open.delete(slot);
  }

  /** Ends the move. The owner keeps the slot. */
  undo(slot: number): void {
    this.#open.delete(slot);
  }

  /**
   * Throws the error with which a primary of the shard refuses a command, as `getNodeByQuery` of Redis decides it.
   * `addressOf` returns the address of the primary of a shard.
   */
  assertServed(
    { name, shard }: ShardServer,
    { keys, isAsking, has }: KeyedCommand,
    addressOf: (shard: number) => string,
  ): void {
    const [slot = 0, ...others] = new Set(keys.map(slotOf));
    if (keys.length === 0) return;
    if (others.length > 0) throw new ErrorReply("CROSSSLOT Keys in request don't hash to the same slot");
    this.#assertCovered(name, slot);
    const owner = this.ownerOf(slot);
    const open = this.#open.get(slot);
    const missing = open === undefined ? [] : keys.filter((key) => !has(key));
    if (owner === shard) {
      if (open === undefined || open.migrating !== name || missing.length === 0) return;
      throw new ErrorReply(missing.length < keys.length ? SPLIT : `ASK ${slot} ${open.target}`);
    }
    if (open?.importing !== name || !isAsking) throw new ErrorReply(`MOVED ${slot} ${addressOf(owner)}`);
    if (new Set(keys).size > 1 && missing.length > 0) throw new ErrorReply(SPLIT);
  }

  /** A server that misses a slot refuses all keys, as `cluster-require-full-coverage` demands. */
  #assertCovered(server: string, asked: number): void {
    for (const [slot, { importing, isUncovered }] of this.#open) {
      if (importing !== server || !isUncovered) continue;
      throw new ErrorReply(
        slot === asked ? "CLUSTERDOWN Hash slot not served" : "CLUSTERDOWN The cluster is down",
      );
    }
  }
}

/** The slot of a key as a server holds it. */
export function slotOf(key: string): number {
  return computeSlot(fromBytes(key));
}
