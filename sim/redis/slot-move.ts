import type { RedisNode } from "./node.ts";
import { slotOf, type SlotTable } from "./slot-table.ts";

/** The servers of a cluster, as a move of a slot sees them. */
interface MovingServers {
  readonly slots: SlotTable;
  readonly primaryOf: (shard: number) => RedisNode;
  readonly isReachable: (node: RedisNode) => boolean;
}

/** One slot on its way from one primary to another, as an operator moves it. */
export class SlotMove {
  readonly slot: number;
  readonly #servers: MovingServers;
  readonly #from: number;
  readonly #to: number;

  private constructor(slot: number, to: number, servers: MovingServers) {
    this.slot = slot;
    this.#servers = servers;
    this.#from = servers.slots.ownerOf(slot);
    this.#to = to;
  }

  /** Begins to move the slot of the key to a shard. Returns `null` when the shard has the slot, or the slot moves. */
  static begin(key: string, to: number, servers: MovingServers): SlotMove | null {
    const slot = slotOf(key);
    if (servers.slots.ownerOf(slot) === to || servers.slots.isMoving(slot)) return null;
    const move = new SlotMove(slot, to, servers);
    servers.slots.begin(slot, to, { source: move.source.name, target: move.target.name });
    // Redis deletes what is left of a slot that a server had before.
    const { model } = move.target;
    for (const name of keysOf(move.target, slot)) model.giveAway(name);
    return move;
  }

  /** The primary that gives the slot. */
  get source(): RedisNode {
    return this.#servers.primaryOf(this.#from);
  }

  /** The primary that gets the slot. */
  get target(): RedisNode {
    return this.#servers.primaryOf(this.#to);
  }

  /**
   * Moves one key. Returns false when no key is left. Nothing moves while a server does not answer, after one has failed
   * over, or while the target has no current replica. `careless` moves a key then as well, and does not wait for a replica.
   */
  moveKey(care: "careful" | "careless" = "careful"): boolean {
    const { source, target } = this;
    if (!this.#areReachable() || !this.#isIntact() || (care === "careful" && !hasReplica(target)))
      return true;
    const [key] = keysOf(source, this.slot);
    if (key !== undefined) source.giveKey(key, target, care);
    return key !== undefined;
  }

  /**
   * Ends the move, as `redis-cli --cluster fix` does. The other shard has the slot from now on. When a server has failed
   * over, the owner gets its keys back instead. Of a key that both servers have, the operator deletes the one that the owner
   * does not use. Returns false, and changes nothing, while a server does not answer or has no current replica.
   */
  finish(): boolean {
    const { source, target } = this;
    const isIntact = this.#isIntact();
    if (!this.#areReachable() || !hasReplica(isIntact ? target : source)) return false;
    const { slots } = this.#servers;
    if (isIntact) {
      for (const key of keysOf(source, this.slot)) source.giveKey(key, target);
      slots.finish(this.slot);
      return true;
    }
    for (const key of keysOf(target, this.slot)) {
      if (source.model.has(key)) target.model.giveAway(key);
      else target.giveKey(key, source);
    }
    slots.undo(this.slot);
    return true;
  }

  #areReachable(): boolean {
    return [this.source, this.target].every((node) => node.isPrimary && this.#servers.isReachable(node));
  }

  #isIntact(): boolean {
    return this.#servers.slots.isIntact(this.slot, this.source.name, this.target.name);
  }
}

function keysOf({ model }: RedisNode, slot: number): string[] {
  return model.keys.names().filter((name) => slotOf(name) === slot);
}

/** Whether a replica has everything. A careful operator moves no key to a server that could lose it. */
function hasReplica({ links }: RedisNode): boolean {
  return links.some(({ isCurrent }) => isCurrent);
}
