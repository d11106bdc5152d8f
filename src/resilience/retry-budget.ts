/** What a retry costs, in questions: retries add at most a tenth to the load. */
const QUESTIONS_PER_RETRY = 10;
/** As many retries are saved up at most. */
const MOST_SAVED = 5;

/** Bounds retries by the questions asked: retrying everything doubles the load on an upstream that fails already. */
export class RetryBudget {
  /** In questions. */
  #saved = 0;

  /** A question was asked. */
  earn(): void {
    this.#saved = Math.min(MOST_SAVED * QUESTIONS_PER_RETRY, this.#saved + 1);
  }

  /** Whether one retry may be made; if so, it is paid for. */
  spend(): boolean {
    if (this.#saved < QUESTIONS_PER_RETRY) return false;
    this.#saved -= QUESTIONS_PER_RETRY;
    return true;
  }
}
