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
    servers.slots.begin(slot, to);
    // Redis deletes what is left of a slot that a server had before.
    const { model } = move.target;
    for (const name of model.keys.names()) if (slotOf(name) === slot) model.giveAway(name);
    return move;
  }

  /** The primary that gets the slot. */
  get target(): RedisNode {
    return this.#servers.primaryOf(this.#to);
  }

  /** Moves one key. Returns false when no key is left. Nothing moves while a server does not answer or has no replica. */
  moveKey(): boolean {
    const source = this.#servers.primaryOf(this.#from);
    const { target } = this;
    const { isReachable } = this.#servers;
    if (!isReachable(source) || !isReachable(target) || !hasReplica(target)) return true;
    const key = source.model.keys.names().find((name) => slotOf(name) === this.slot);
    if (key !== undefined) source.giveKey(key, target);
    return key !== undefined;
  }

  /** From now on, the other shard has the slot. */
  finish(): void {
    this.#servers.slots.finish(this.slot);
  }
}

/** Whether a replica has everything. An operator moves no key to a server that could lose it. */
function hasReplica({ links }: RedisNode): boolean {
  return links.some(({ isCurrent }) => isCurrent);
}
