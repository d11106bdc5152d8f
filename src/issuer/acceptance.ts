import { elapsedMs, readClock, type Clock, type Instant } from "../core/clock.ts";
import type { Store } from "../stores/store.ts";
import { longestAccessTokenTtlMs, type IssuerConfig } from "./config.ts";
import { changeValuesInUse, readValuesInUse, withValue, type ValueInUse } from "./store/values-in-use.ts";

/** The largest step by which a clock may be set back. Tokens that were issued before the step live longer by it. */
const MAX_CLOCK_STEP_MS = 3_600_000;
/** The largest `clockToleranceMs` that a guard accepts as an option. */
export const MAX_CLOCK_TOLERANCE_MS = 300_000;

const MARKER = "access token lifetimes";
/** A process announces its lifetime again before this much is left of the time. Maintenance runs far more often. */
const SPARE_MS = 3_600_000;
/** How long a change by another process may go unnoticed. The allowance for clocks covers the tokens of that time. */
const READ_INTERVAL_MS = 1_000;

interface AcceptanceBase {
  readonly config: IssuerConfig;
  readonly store: Pick<Store, "markers" | "now">;
  readonly clock: Clock;
}

/**
 * Knows how long the access tokens of every process on the store may still be accepted, also those from before a setting
 * was lowered. A revocation has to be kept for that long.
 */
export class AcceptancePeriod {
  readonly #base: AcceptanceBase;
  readonly #ownMs: number;
  #lifetimes: readonly ValueInUse[] = [];
  #readAt: Instant | null = null;

  constructor(base: AcceptanceBase) {
    this.#base = base;
    this.#ownMs = longestAccessTokenTtlMs(base.config);
  }

  /** Records the lifetime of the tokens of this process. Must resolve before the first of them. */
  async announce(): Promise<void> {
    const { store } = this.#base;
    const now = await store.now();
    const own = { value: String(this.#ownMs), until: now + this.#ownMs + 2 * SPARE_MS };
    await changeValuesInUse(store.markers, MARKER, (values) => {
      const isKnown = values.some(({ value, until }) => value === own.value && until >= own.until - SPARE_MS);
      return isKnown ? values : withValue(values, own, now);
    });
  }

  /**
   * Returns when no guard accepts a token any longer that was issued until `issuedAt`, both epoch ms. Where the store cannot be read, the last
   * known lifetimes count: a revocation must not fail for that reason.
   */
  async endsAt(issuedAt: number): Promise<number> {
    const { store, clock } = this.#base;
    if (this.#readAt === null || elapsedMs(clock, this.#readAt) >= READ_INTERVAL_MS) {
      this.#readAt = readClock(clock);
      const read = readValuesInUse(store.markers, MARKER);
      this.#lifetimes = await read.catch(() => this.#lifetimes);
    }
    const others = this.#lifetimes.map(({ value, until }) => Math.min(issuedAt + Number(value), until));
    return Math.max(issuedAt + this.#ownMs, ...others) + MAX_CLOCK_TOLERANCE_MS + MAX_CLOCK_STEP_MS;
  }
}
