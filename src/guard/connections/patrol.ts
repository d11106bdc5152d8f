import type { LiveConnection } from "./connection.ts";
import type { House } from "./house.ts";

/** Every connection is looked at this often … */
const ROUND_MS = 1_000;
/** … and after a revocation as soon as this; others that come meanwhile are seen by the same look. */
const NEWS_MS = 10;
/** Looking takes up to this part of the time, however often something is revoked. */
const BUSY_SHARE = 1 / 10;

/**
 * One timer for all connections. Each round looks at what time, revocations and outages make of every one of them, and
 * asks authorities again where that is due, a few at a time.
 */
export class Patrol<C> {
  readonly #house: House<C>;
  #stopTimer: () => void = () => {};
  /** By the monotonic clock; `Infinity` while no round is planned. */
  #nextAt = Infinity;
  #tookMs = 0;
  /** Questions under way. */
  #asking: Promise<void> | null = null;
  #isStopped = false;

  constructor(house: House<C>) {
    this.#house = house;
  }

  /** Somebody came. */
  begin(): void {
    if (this.#nextAt === Infinity) this.#plan(ROUND_MS);
  }

  /** Something was revoked. */
  hurry(): void {
    if (this.#house.members.size > 0) this.#plan(Math.max(NEWS_MS, this.#tookMs / BUSY_SHARE));
  }

  stop(): void {
    this.#isStopped = true;
    this.#stopTimer();
  }

  #plan(inMs: number): void {
    const { clock } = this.#house.settings;
    const at = clock.monotonic() + inMs;
    if (this.#isStopped || at >= this.#nextAt) return;
    this.#stopTimer();
    this.#nextAt = at;
    this.#stopTimer = clock.after(inMs, () => this.#round());
  }

  #round(): void {
    const { clock } = this.#house.settings;
    this.#nextAt = Infinity;
    const began = clock.monotonic();
    for (const connection of this.#house.members) connection.review();
    this.#tookMs = clock.monotonic() - began;
    if (this.#asking === null) this.#asking = this.#ask();
    if (this.#house.members.size > 0) this.#plan(ROUND_MS);
  }

  /** Asks about all that are due; the next question begins when one has its answer. */
  async #ask(): Promise<void> {
    const due = this.#due();
    const askOneByOne = async () => {
      for (const connection of due) await connection.recheck();
    };
    await Promise.all(Array.from({ length: this.#house.settings.maxRechecks }, askOneByOne));
    this.#asking = null;
  }

  *#due(): Generator<LiveConnection<C>> {
    const now = this.#house.settings.clock.monotonic();
    for (const connection of this.#house.members) if (connection.isDue(now)) yield connection;
  }
}
