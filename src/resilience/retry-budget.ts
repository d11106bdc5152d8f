/** The requests that pay for one retry. Retries therefore add at most a tenth to the load. */
const REQUESTS_PER_RETRY = 10;
/** The retries that a long time without failures can save up. */
const MAX_SAVED_RETRIES = 5;
const MAX_CREDIT = MAX_SAVED_RETRIES * REQUESTS_PER_RETRY;

/**
 * Bounds retries by the number of requests. Unbounded retries would double the load on an upstream that already fails.
 * The budget begins full, because the first requests of a process meet a restarted upstream or an old connection too.
 */
export class RetryBudget {
  /** Counted in requests. */
  #credit = MAX_CREDIT;
  /** The first requests pay for the credit of the beginning. */
  #owed = MAX_CREDIT;

  recordRequest(): void {
    if (this.#owed > 0) this.#owed--;
    else this.#credit = Math.min(MAX_CREDIT, this.#credit + 1);
  }

  /** Spends one retry. Returns `false`, and spends nothing, when the budget does not allow it. */
  trySpend(): boolean {
    if (this.#credit < REQUESTS_PER_RETRY) return false;
    this.#credit -= REQUESTS_PER_RETRY;
    return true;
  }
}
