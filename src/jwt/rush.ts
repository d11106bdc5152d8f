const settled = Promise.resolve();

/**
 * Notices that callers come faster than the event loop serves them, without counting or timing them. One caller
 * who awaits each answer before the next question is no rush, however fast it asks.
 */
export class Rush {
  /** Until the callers that were ready before the last question have run. */
  #step = false;
  /** Until the event loop takes its next callback, such as the next socket that can be read. */
  #callback = false;
  /** Until the event loop has been through everything that is ready. */
  #turn = false;

  /** For each question: whether another caller asked in this turn of the event loop. */
  joins(): boolean {
    if (this.#step || (this.#turn && !this.#callback)) return true;
    this.#step = true;
    void settled.then(this.#endStep);
    if (!this.#callback) {
      this.#callback = true;
      process.nextTick(this.#endCallback);
    }
    if (!this.#turn) {
      this.#turn = true;
      setImmediate(this.#endTurn);
    }
    return false;
  }

  readonly #endStep = (): void => {
    this.#step = false;
  };

  readonly #endCallback = (): void => {
    this.#callback = false;
  };

  readonly #endTurn = (): void => {
    this.#turn = false;
  };
}
