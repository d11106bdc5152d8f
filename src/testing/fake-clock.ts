import type { Clock } from "../core/clock.ts";

interface Timer {
  readonly at: number;
  readonly fn: () => void;
}

/** Runs all pending promise reactions, however long their chain. */
async function settle(): Promise<void> {
  await new Promise<void>((resolve) => setImmediate(resolve));
}

/** Runs promise reactions only, as Node does between two timers that are due. */
async function settleMicrotasks(): Promise<void> {
  await new Promise<void>((resolve) => process.nextTick(resolve));
}

/**
 * A clock that moves only when a test moves it. As with real timers, a timer follows the monotonic clock: setting the
 * wall clock or suspending the machine does not fire it.
 *
 * @example
 * ```ts
 * import { createGuard, staticKeys } from "holdfast";
 * import { createMint, FakeClock } from "holdfast/testing";
 *
 * const clock = new FakeClock();
 * const mint = await createMint({ issuer: "https://id.example.com", audience: "https://api.example.com", clock });
 * const guard = createGuard({
 *   issuer: mint.issuer,
 *   audience: "https://api.example.com",
 *   keys: staticKeys(mint.jwks()),
 *   clock,
 * });
 *
 * const token = mint.token();
 * await clock.advance(3_600_000);
 * console.log((await guard.validate(token)).status); // "invalid": the token has expired
 * ```
 */
export class FakeClock implements Clock {
  #wall: number;
  #monotonic = 0;
  readonly #timers = new Set<Timer>();

  /** Starts at `wall`, epoch milliseconds. Default: the start of 2030, UTC. */
  constructor(wall: number = Date.UTC(2030, 0, 1)) {
    this.#wall = wall;
  }

  /** Number of pending timers. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Wall clock, epoch milliseconds. Whole, like `Date.now()`. */
  now(): number {
    return Math.trunc(this.#wall);
  }

  /** Monotonic clock, milliseconds since the clock was created. */
  monotonic(): number {
    return this.#monotonic;
  }

  /** Calls `fn` after `ms`, at least 1 ms, as `setTimeout` does. Returns the function that cancels it. */
  after(ms: number, fn: () => void): () => void {
    const timer = { at: this.#monotonic + (ms >= 1 ? ms : 1), fn };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  /** Advances both clocks by `ms`. Due timers run in order, each followed by all pending promise reactions. */
  async advance(ms: number): Promise<void> {
    const end = this.#monotonic + ms;
    await settle();
    for (let timer = this.#due(end); timer !== undefined; timer = this.#due(end)) {
      this.#timers.delete(timer);
      this.#move(Math.max(0, timer.at - this.#monotonic));
      timer.fn();
      await settle();
    }
    this.#move(end - this.#monotonic);
  }

  /**
   * Simulates an event loop that was blocked for `ms`. Both clocks advance first. As in Node, the overdue timers then run
   * in order, before any event that arrived during the block.
   */
  async block(ms: number): Promise<void> {
    this.#move(ms);
    const end = this.#monotonic;
    for (let timer = this.#due(end); timer !== undefined; timer = this.#due(end)) {
      this.#timers.delete(timer);
      timer.fn();
      await settleMicrotasks();
    }
    await settle();
  }

  /** Sets the wall clock, epoch milliseconds, forward or back. Timers do not change. */
  setWall(wall: number): void {
    this.#wall = wall;
  }

  /** Simulates a suspended machine: only the wall clock advances by `ms`. */
  suspend(ms: number): void {
    this.#wall += ms;
  }

  #move(ms: number): void {
    this.#wall += ms;
    this.#monotonic += ms;
  }

  /** The next timer due at or before `end`. Timers with the same time keep their order of creation. */
  #due(end: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.at <= end && (next === undefined || timer.at < next.at)) next = timer;
    }
    return next;
  }
}
