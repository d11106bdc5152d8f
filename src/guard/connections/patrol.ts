import { setImmediate as nextTurn } from "node:timers/promises";
import { instant } from "../../core/clock.ts";
import type { House, Member } from "./house.ts";

/** Every connection is looked at this often … */
const ROUND_MS = 1_000;
/** … and after a revocation as soon as this; others that come meanwhile are seen by the same look. */
const NEWS_MS = 10;
/** Looking takes up to this part of the time, however often something is revoked … */
const BUSY_SHARE = 1 / 10;
/** … and lets everybody else have a turn after so long. */
const TURN_MS = 5;

/**
 * One timer for all connections. Each round looks at what time, revocations and outages make of every one of them, and
 * asks authorities again where that is due, a few at a time.
 */
export class Patrol<C> {
  readonly #house: House<C>;
  #stopTimer: () => void = () => {};
  /** By the monotonic clock; `Infinity` while no round is planned. */
  #nextAt = Infinity;
  #isLooking = false;
  /** Whether something was revoked since the look began. */
  #hasNews = false;
  #tookMs = 0;
  #turnBegan = 0;
  /** Questions under way. */
  #asking: Promise<void> | null = null;
  #isStopped = false;

  constructor(house: House<C>) {
    this.#house = house;
  }

  /** Somebody came. */
  begin(): void {
    this.#plan(ROUND_MS);
  }

  /** Something was revoked. */
  hurry(): void {
    this.#hasNews = true;
    if (this.#house.members.size > 0) this.#plan(this.#newsMs);
  }

  stop(): void {
    this.#isStopped = true;
    this.#stopTimer();
  }

  /** Never later than without news, however long a look takes. */
  get #newsMs(): number {
    return Math.min(ROUND_MS, Math.max(NEWS_MS, this.#tookMs / BUSY_SHARE));
  }

  #plan(inMs: number): void {
    const { clock } = this.#house.settings;
    const at = clock.monotonic() + inMs;
    if (this.#isStopped || this.#isLooking || at >= this.#nextAt) return;
    this.#stopTimer();
    this.#nextAt = at;
    this.#stopTimer = clock.after(inMs, () => void this.#round());
  }

  async #round(): Promise<void> {
    const { members, settings } = this.#house;
    this.#nextAt = Infinity;
    this.#isLooking = true;
    this.#hasNews = false;
    const began = settings.clock.monotonic();
    this.#turnBegan = began;
    let othersMs = 0;
    for (const connection of members) {
      connection.review();
      if (this.#isTurnOver) othersMs += await this.#nextTurn();
    }
    this.#tookMs = settings.clock.monotonic() - began - othersMs;
    this.#isLooking = false;
    if (this.#asking === null) this.#asking = this.#ask();
    if (members.size > 0) this.#plan(this.#hasNews ? this.#newsMs : ROUND_MS);
  }

  /** Asks about all that are due; the next question begins when one has its answer. */
  async #ask(): Promise<void> {
    const due = this.#due();
    const askOneByOne = async () => {
      for (const connection of due) {
        await connection.recheck();
        if (this.#isTurnOver) await this.#nextTurn();
      }
    };
    await Promise.all(Array.from({ length: this.#house.settings.maxRechecks }, askOneByOne));
    this.#asking = null;
  }

  *#due(): Generator<Member<C>> {
    const { members, settings } = this.#house;
    const now = instant(settings.clock);
    for (const connection of members) if (connection.isDue(now)) yield connection;
  }

  get #isTurnOver(): boolean {
    return this.#house.settings.clock.monotonic() - this.#turnBegan >= TURN_MS;
  }

  /** How long everybody else took. */
  async #nextTurn(): Promise<number> {
    const { clock } = this.#house.settings;
    const left = clock.monotonic();
    await nextTurn();
    this.#turnBegan = clock.monotonic();
    return this.#turnBegan - left;
  }
}
