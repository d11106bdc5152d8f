/**
 * Joins callers of the same work: while a flight for a key is under way, everybody gets its promise. A caller
 * that gives up leaves the flight alone. A flight is forgotten when it lands, well or badly.
 */
export class SingleFlight<K, V> {
  readonly #flights = new Map<K, Promise<V>>();

  get size(): number {
    return this.#flights.size;
  }

  /** The flight under way for `key`, to be joined. */
  inFlight(key: K): Promise<V> | undefined {
    return this.#flights.get(key);
  }

  async run(key: K, work: () => Promise<V>): Promise<V> {
    const flying = this.#flights.get(key);
    if (flying !== undefined) return await flying;
    const flight = (async () => await work())().finally(() => this.#flights.delete(key));
    this.#flights.set(key, flight);
    return await flight;
  }
}
