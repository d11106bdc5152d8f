import type { Clock } from "../../core/clock.ts";
import { storeEvents } from "../../core/event-channels.ts";
import type { RedisConnection } from "./connection.ts";
import { readDurability, type DurabilityReport, type DurabilityRequirement } from "./durability.ts";

/** The connection that the monitor watches, and its requirement. */
export interface DurabilityMonitorOptions {
  readonly connection: RedisConnection;
  readonly requirement: DurabilityRequirement;
  readonly clock: Clock;
  /** Delays another try after a failure. A virtual clock that jumps by a day would ask a real server a thousand times. */
  readonly networkClock: Clock;
  /** Names the store in events. */
  readonly place: string;
  /** The configuration when the store was opened. */
  readonly summary: string;
}

const CHECK_MS = 60_000;
const RETRY_MS = 1000;

/**
 * Looks at the configuration of the servers again: every minute, and when a server answers again after an interruption,
 * because another one with another configuration may have taken over.
 */
export class DurabilityMonitor {
  readonly #options: DurabilityMonitorOptions;
  #report: DurabilityReport;
  #stop = () => {};
  #isClosed = false;

  constructor(options: DurabilityMonitorOptions) {
    this.#options = options;
    this.#report = { summary: options.summary, problem: null };
    this.#schedule();
  }

  /** The configuration in short. */
  get summary(): string {
    return this.#report.summary;
  }

  /** Why acknowledged writes may be lost. `null` when the servers are as durable as required. */
  get problem(): string | null {
    return this.#report.problem;
  }

  /** Reads the configuration now. Returns false when the servers do not answer, and keeps what is known then. */
  async check(): Promise<boolean> {
    const { connection, requirement, place } = this.#options;
    const known = this.#report.problem;
    try {
      this.#report = await readDurability(connection, requirement);
    } catch {
      return false;
    }
    const { problem, summary } = this.#report;
    if (this.#isClosed || problem === known || !storeEvents.hasSubscribers) return true;
    const event = problem === null ? "durability_restored" : "durability_lost";
    storeEvents.publish({ store: place, event, message: `${place} ${problem ?? `has ${summary}`}` });
    return true;
  }

  close(): void {
    this.#isClosed = true;
    this.#stop();
  }

  #schedule(): void {
    if (!this.#isClosed) this.#stop = this.#options.clock.after(CHECK_MS, () => void this.#checkAgain());
  }

  async #checkAgain(): Promise<void> {
    if (await this.check()) this.#schedule();
    else this.#stop = this.#options.networkClock.after(RETRY_MS, () => this.#schedule());
  }
}
