import { setImmediate as nextTurn } from "node:timers/promises";
import { readClock } from "../core/clock.ts";
import type { ConnectionRegistry, RegisteredConnection } from "./registry.ts";

/** Every connection is looked at this often … */
const SWEEP_INTERVAL_MS = 1_000;
/** … and after a revocation as soon as this; others that come meanwhile are seen by the same look. */
const REVOCATION_DELAY_MS = 10;
/** Looking takes up to this part of the time, however often something is revoked … */
const MAX_SWEEP_SHARE = 1 / 10;
/** … and lets everybody else have a turn after so long. */
const MAX_TURN_MS = 5;

/**
 * One timer for all connections. Each round looks at what time, revocations and outages make of every one of them, and
 * asks authorities again where that is due, a few at a time.
 */
export class Sweeper<C> {
  readonly #registry: ConnectionRegistry<C>;
  #stopTimer: () => void = () => {};
  /** By the monotonic clock; `Infinity` while no round is planned. */
  #nextAt = Infinity;
  #isSweeping = false;
  /** Whether something was revoked since the look began. */
  #isSweepRequested = false;
  #lastSweepMs = 0;
  #turnStartedAt = 0;
  /** Questions under way. */
  #rechecking: Promise<void> | null = null;
  #isStopped = false;

  constructor(registry: ConnectionRegistry<C>) {
    this.#registry = registry;
  }

  /** Somebody came. */
  start(): void {
    this.#schedule(SWEEP_INTERVAL_MS);
  }

  /** Something was revoked. */
  sweepSoon(): void {
    this.#isSweepRequested = true;
    if (this.#registry.connections.size > 0) this.#schedule(this.#soonMs);
  }

  stop(): void {
    this.#isStopped = true;
    this.#stopTimer();
  }

  /** Never later than without news, however long a look takes. */
  get #soonMs(): number {
    return Math.min(SWEEP_INTERVAL_MS, Math.max(REVOCATION_DELAY_MS, this.#lastSweepMs / MAX_SWEEP_SHARE));
  }

  #schedule(inMs: number): void {
    const { clock } = this.#registry.settings;
    const at = clock.monotonic() + inMs;
    if (this.#isStopped || this.#isSweeping || at >= this.#nextAt) return;
    this.#stopTimer();
    this.#nextAt = at;
    this.#stopTimer = clock.after(inMs, () => void this.#sweep());
  }

  async #sweep(): Promise<void> {
    const { connections, settings } = this.#registry;
    this.#nextAt = Infinity;
    this.#isSweeping = true;
    this.#isSweepRequested = false;
    const began = settings.clock.monotonic();
    this.#turnStartedAt = began;
    let yieldedMs = 0;
    for (const connection of connections) {
      connection.reevaluate();
      if (this.#isTurnOver) yieldedMs += await this.#yieldTurn();
    }
    this.#lastSweepMs = settings.clock.monotonic() - began - yieldedMs;
    this.#isSweeping = false;
    if (this.#rechecking === null) this.#rechecking = this.#recheckDue();
    if (connections.size > 0) this.#schedule(this.#isSweepRequested ? this.#soonMs : SWEEP_INTERVAL_MS);
  }

  /** Asks about all that are due; the next question begins when one has its answer. */
  async #recheckDue(): Promise<void> {
    const due = this.#dueConnections();
    const recheckInTurn = async () => {
      for (const connection of due) {
        await connection.recheck();
        if (this.#isTurnOver) await this.#yieldTurn();
      }
    };
    await Promise.all(Array.from({ length: this.#registry.settings.maxRechecks }, recheckInTurn));
    this.#rechecking = null;
  }

  *#dueConnections(): Generator<RegisteredConnection<C>> {
    const { connections, settings } = this.#registry;
    const now = readClock(settings.clock);
    for (const connection of connections) if (connection.isRecheckDue(now)) yield connection;
  }

  get #isTurnOver(): boolean {
    return this.#registry.settings.clock.monotonic() - this.#turnStartedAt >= MAX_TURN_MS;
  }

  /** How long everybody else took. */
  async #yieldTurn(): Promise<number> {
    const { clock } = this.#registry.settings;
    const left = clock.monotonic();
    await nextTurn();
    this.#turnStartedAt = clock.monotonic();
    return this.#turnStartedAt - left;
  }
}
