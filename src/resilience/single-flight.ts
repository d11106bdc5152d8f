/**
 * Joins callers of the same work: while the work for a key runs, every caller gets its promise. A caller that gives up
 * does not stop the work. The key is free again when the promise settles.
 */
export class SingleFlight<K, V> {
  readonly #flights = new Map<K, Promise<V>>();

  get size(): number {
    return this.#flights.size;
  }

  /** The promise of the running work for `key`. `undefined` when no work runs. */
  inFlight(key: K): Promise<V> | undefined {
    return this.#flights.get(key);
  }

  /** Joins the running work for `key`, or starts `work`. */
  async run(key: K, work: () => Promise<V>): Promise<V> {
    const running = this.#flights.get(key);
    if (running !== undefined) return await running;
    const flight = (async () => await work())().finally(() => this.#flights.delete(key));
    this.#flights.set(key, flight);
    return await flight;
  }
}
