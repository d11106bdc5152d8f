/** The requests that pay for one retry. Retries therefore add at most a tenth to the load. */
const REQUESTS_PER_RETRY = 10;
/** The retries that a long time without failures can save up. */
const MAX_SAVED_RETRIES = 5;

/** Bounds retries by the number of requests. Unbounded retries would double the load on an upstream that already fails. */
export class RetryBudget {
  /** Counted in requests. */
  #credit = 0;

  recordRequest(): void {
    this.#credit = Math.min(MAX_SAVED_RETRIES * REQUESTS_PER_RETRY, this.#credit + 1);
  }

  /** Spends one retry. Returns `false`, and spends nothing, when the budget does not allow it. */
  trySpend(): boolean {
    if (this.#credit < REQUESTS_PER_RETRY) return false;
    this.#credit -= REQUESTS_PER_RETRY;
    return true;
  }
}
