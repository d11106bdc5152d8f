const settled = Promise.resolve();

/**
 * Notices that callers come faster than the event loop serves them, without counting or timing them. One caller
 * who awaits each answer before the next question is no rush, however fast it asks.
 */
export class BurstDetector {
  /** Until the callers that were ready before the last question have run. */
  #inMicrotasks = false;
  /** Until the event loop takes its next callback, such as the next socket that can be read. */
  #inCallback = false;
  /** Until the event loop has been through everything that is ready. */
  #inTurn = false;

  /** For each question: whether another caller asked in this turn of the event loop. */
  recordCall(): boolean {
    if (this.#inMicrotasks || (this.#inTurn && !this.#inCallback)) return true;
    this.#inMicrotasks = true;
    void settled.then(this.#endMicrotasks);
    if (!this.#inCallback) {
      this.#inCallback = true;
      process.nextTick(this.#endCallback);
    }
    if (!this.#inTurn) {
      this.#inTurn = true;
      setImmediate(this.#endTurn);
    }
    return false;
  }

  readonly #endMicrotasks = (): void => {
    this.#inMicrotasks = false;
  };

  readonly #endCallback = (): void => {
    this.#inCallback = false;
  };

  readonly #endTurn = (): void => {
    this.#inTurn = false;
  };
}
