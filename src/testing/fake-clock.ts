import type { Clock } from "../core/clock.ts";

interface Timer {
  readonly at: number;
  readonly fn: () => void;
}

/** Lets everything run that only waits for promises, however long the chain. */
async function settle(): Promise<void> {
  await new Promise<void>((resolve) => setImmediate(resolve));
}

/** Lets promises run, and nothing else: between two timers that are due Node does just that. */
async function settleMicrotasks(): Promise<void> {
  await new Promise<void>((resolve) => process.nextTick(resolve));
}

/**
 * A clock that moves only when told. Timers follow its monotonic time, as real ones do, so neither a wall clock
 * that is set nor a suspended machine makes one fire.
 */
export class FakeClock implements Clock {
  #wall: number;
  #monotonic = 0;
  readonly #timers = new Set<Timer>();

  /** Starts at `wall`, epoch milliseconds; by default the first moment of 2030. */
  constructor(wall: number = Date.UTC(2030, 0, 1)) {
    this.#wall = wall;
  }

  /** How many timers wait. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Whole, as `Date.now()` is. */
  now(): number {
    return Math.trunc(this.#wall);
  }

  monotonic(): number {
    return this.#monotonic;
  }

  /** Less than 1 ms counts as 1 ms, as with `setTimeout`. `keepAlive` means nothing here. */
  after(ms: number, fn: () => void): () => void {
    const timer = { at: this.#monotonic + (ms >= 1 ? ms : 1), fn };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  /** Moves both clocks on by `ms`, runs the timers that fall due in their order, and lets promises run after each. */
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
   * The event loop was blocked for `ms`: both clocks have moved on, and the timers that fell due meanwhile run now,
   * late and in their order, before anything that arrived during the block, as under Node.
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

  /** Sets the wall clock, forward or back; no timer notices. */
  setWall(wall: number): void {
    this.#wall = wall;
  }

  /** The machine sleeps for `ms`: the wall clock goes on, the monotonic one and the timers stand still. */
  suspend(ms: number): void {
    this.#wall += ms;
  }

  #move(ms: number): void {
    this.#wall += ms;
    this.#monotonic += ms;
  }

  /** The next timer up to `end`; of several at the same time the one that was set first. */
  #due(end: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.at <= end && (next === undefined || timer.at < next.at)) next = timer;
    }
    return next;
  }
}
