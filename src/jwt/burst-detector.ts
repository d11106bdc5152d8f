const resolved = Promise.resolve();

/**
 * Detects that callers arrive faster than the event loop serves them, without counters or timers. One caller that awaits
 * each result before its next call does not make a burst, however fast it calls.
 */
export class BurstDetector {
  /** True until the callers that were ready at the last call have run. */
  #inMicrotasks = false;
  /** True until the event loop starts its next callback, such as that of a readable socket. */
  #inCallback = false;
  /** True until the event loop has run everything that was ready. */
  #inTurn = false;

  /** Records a call. Returns whether another caller has called in this turn of the event loop. */
  recordCall(): boolean {
    if (this.#inMicrotasks || (this.#inTurn && !this.#inCallback)) return true;
    this.#inMicrotasks = true;
    void resolved.then(this.#endMicrotasks);
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
