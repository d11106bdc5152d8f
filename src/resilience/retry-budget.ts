/** What a retry costs, in questions: retries add at most a tenth to the load. */
const REQUESTS_PER_RETRY = 10;
/** As many retries are saved up at most. */
const MAX_SAVED_RETRIES = 5;

/** Bounds retries by the questions asked: retrying everything doubles the load on an upstream that fails already. */
export class RetryBudget {
  /** In questions. */
  #credit = 0;

  /** A question was asked. */
  recordRequest(): void {
    this.#credit = Math.min(MAX_SAVED_RETRIES * REQUESTS_PER_RETRY, this.#credit + 1);
  }

  /** Whether one retry may be made; if so, it is paid for. */
  trySpend(): boolean {
    if (this.#credit < REQUESTS_PER_RETRY) return false;
    this.#credit -= REQUESTS_PER_RETRY;
    return true;
  }
}
