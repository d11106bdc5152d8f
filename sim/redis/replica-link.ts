import type { Clock } from "../../src/core/clock.ts";
import { later } from "../later.ts";
import type { Change } from "./server.ts";

/** The receiving side of a link. */
export interface LinkedReplica {
  readonly receive: (change: Change, offset: number) => void;
}

/** How a link treats changes. */
export interface LinkOptions {
  readonly clock: Clock;
  /** Draws the time that a change or its acknowledgement takes, ms. */
  readonly lagMs: () => number;
  /** Called when the primary learns that the replica has more. */
  readonly onAcknowledged: () => void;
}

const TIMER_ERROR_MS = 0.01;

/** The replication from a primary to one replica. Changes arrive late and in order. */
export class ReplicaLink {
  readonly replica: LinkedReplica;
  readonly #options: LinkOptions;
  readonly #queue: { readonly change: Change; readonly offset: number; readonly at: number }[] = [];
  #acknowledged: number;
  #lastArrival = 0;
  #delivered: number;
  #isOpen = true;
  /** Why the link stands still. It flows when nothing stops it. */
  readonly #stops = new Set<string>();
  #stoppedAt = 0;

  /** The replica has a copy of the primary at `offset`. */
  constructor(replica: LinkedReplica, offset: number, options: LinkOptions) {
    this.replica = replica;
    this.#acknowledged = offset;
    this.#delivered = offset;
    this.#options = options;
  }

  /** The offset that the primary knows the replica to have. */
  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** For how long the replica has been silent, ms. */
  get silentMs(): number {
    return this.#stops.size === 0 ? 0 : this.#options.clock.monotonic() - this.#stoppedAt;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  push(change: Change, offset: number): void {
    const { clock, lagMs } = this.#options;
    const at = Math.max(this.#lastArrival, clock.monotonic() + lagMs());
    this.#lastArrival = at;
    this.#queue.push({ change, offset, at });
    later(clock, at - clock.monotonic(), () => this.#flow());
  }

  /** Whether the replica has everything, and nothing stops the link. */
  get isCurrent(): boolean {
    return this.#isOpen && this.#stops.size === 0 && this.#queue.length === 0;
  }

  /** Delivers a change without a lag, if the replica has everything else. */
  pushAtOnce(change: Change, offset: number): void {
    if (!this.isCurrent) return this.push(change, offset);
    this.replica.receive(change, offset);
    this.#delivered = offset;
    this.#acknowledgeLater();
  }

  /** Stops the link, as a broken network or a frozen replica does, until `resume` is called with the same reason. */
  stop(reason: string): void {
    if (this.#stops.size === 0) this.#stoppedAt = this.#options.clock.monotonic();
    this.#stops.add(reason);
  }

  resume(reason: string): void {
    this.#stops.delete(reason);
    this.#flow();
    this.#acknowledgeLater();
  }

  /** Delivers what is due. */
  #flow(): void {
    const { clock } = this.#options;
    while (this.#isOpen && this.#stops.size === 0) {
      const [next] = this.#queue;
      // A timer may fire a moment early.
      if (next === undefined || next.at > clock.monotonic() + TIMER_ERROR_MS) return;
      this.#queue.shift();
      this.replica.receive(next.change, next.offset);
      this.#delivered = next.offset;
      this.#acknowledgeLater();
    }
  }

  #acknowledgeLater(): void {
    const { clock, lagMs, onAcknowledged } = this.#options;
    const offset = this.#delivered;
    later(clock, lagMs(), () => {
      if (!this.#isOpen || this.#stops.size > 0 || offset <= this.#acknowledged) return;
      this.#acknowledged = offset;
      onAcknowledged();
    });
  }

  /** Ends the link. Changes on the way are lost. */
  close(): void {
    this.#isOpen = false;
    this.#queue.length = 0;
  }
}
