import { awaitTurn, readClock } from "../core/clock.ts";
import type { ConnectionRegistry, RegisteredConnection } from "./registry.ts";

/** The time between two sweeps. */
const SWEEP_INTERVAL_MS = 1_000;
/** The time from a revocation to the next sweep. The same sweep covers further revocations in this time. */
const REVOCATION_DELAY_MS = 10;
/** The greatest share of the time that sweeps take, however often something is revoked. */
const MAX_SWEEP_SHARE = 1 / 10;
/** A sweep yields to other work after this time. */
const MAX_TURN_MS = 5;

/**
 * Checks all connections with one timer. Each sweep closes the connections whose token expired, was revoked or cannot be
 * checked any more. It also asks the authorities about the tokens whose recheck is due, a few at a time.
 */
export class Sweeper<C> {
  readonly #registry: ConnectionRegistry<C>;
  #stopTimer: () => void = () => {};
  /** The monotonic time of the next sweep. `Infinity` while none is planned. */
  #nextAt = Infinity;
  #isSweeping = false;
  /** Whether something was revoked since the current sweep began. */
  #isSweepRequested = false;
  #lastSweepMs = 0;
  #turnStartedAt = 0;
  /** The rechecks in progress. `null` while no recheck runs. */
  #rechecking: Promise<void> | null = null;
  #isStopped = false;

  constructor(registry: ConnectionRegistry<C>) {
    this.#registry = registry;
  }

  /** Plans the next regular sweep. Called when a connection is added. */
  start(): void {
    this.#schedule(SWEEP_INTERVAL_MS);
  }

  /** Plans a sweep at once. Called when something is revoked. */
  sweepSoon(): void {
    this.#isSweepRequested = true;
    this.#registry.recordRevocation();
    if (this.#registry.connections.size > 0) this.#schedule(this.#soonMs);
  }

  stop(): void {
    this.#isStopped = true;
    this.#stopTimer();
  }

  /** The delay of a requested sweep: long enough to keep the share, and never longer than the regular interval. */
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
    const startedAt = settings.clock.monotonic();
    this.#turnStartedAt = startedAt;
    let yieldedMs = 0;
    for (const connection of connections) {
      connection.reevaluate();
      if (this.#isTurnOver) yieldedMs += await this.#yieldTurn();
    }
    this.#lastSweepMs = settings.clock.monotonic() - startedAt - yieldedMs;
    this.#isSweeping = false;
    if (!this.#isSweepRequested) this.#registry.recordSweep();
    if (this.#rechecking === null) this.#rechecking = this.#recheckDue();
    if (connections.size > 0) this.#schedule(this.#isSweepRequested ? this.#soonMs : SWEEP_INTERVAL_MS);
  }

  /** Rechecks all connections that are due, at most `maxRechecks` at the same time. */
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

  /** Lets other work run. Returns the time that it took. */
  async #yieldTurn(): Promise<number> {
    const { clock } = this.#registry.settings;
    const yieldedAt = clock.monotonic();
    await awaitTurn(clock);
    this.#turnStartedAt = clock.monotonic();
    return this.#turnStartedAt - yieldedAt;
  }
}
